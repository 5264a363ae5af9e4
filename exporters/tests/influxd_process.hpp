// A real influxd on loopback with directories and ports of its own, for as long as the object lives.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "exporters/influx_sink.hpp"
#include "exporters/tests/scratch_dir.hpp"

namespace exporters {

class InfluxdProcess {
 public:
  enum class Auth : std::uint8_t { off, on };

  static constexpr auto binary = "/usr/bin/influxd";
  static bool is_installed() { return std::filesystem::exists(binary); }

  /// Starts it and waits until it answers; throws if it does not within some seconds.
  explicit InfluxdProcess(Auth auth = Auth::off);
  ~InfluxdProcess();
  InfluxdProcess(const InfluxdProcess&) = delete;
  InfluxdProcess& operator=(const InfluxdProcess&) = delete;

  void stop();   ///< cleanly; its data stay
  void start();  ///< on the same port and data

  InfluxTarget target(const std::string& database, HttpCredentials credentials = {}) const;

  /// Result of one InfluxQL query, times in ns; throws on an error answer.
  nlohmann::json query(const std::string& database, const std::string& text, HttpCredentials credentials = {}) const;
  /// Points of a measurement that have the given field.
  std::uint64_t count(const std::string& database, const std::string& measurement, const std::string& field) const;

 private:
  ScratchDir dir_;
  std::uint16_t http_port_;
  std::uint16_t rpc_port_;
  pid_t pid_ = 0;
};

}  // namespace exporters
