// A refserver of our own on this machine, for calibration: started, and ended with this object.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "loadgen/result.hpp"

namespace loadgen {

class LocalServer {
 public:
  /// Starts `program serve` with these arguments and waits until it says where it listens. The error names the program
  /// and what it said.
  static Result<LocalServer, std::string> start(const std::filesystem::path& program,
                                                const std::vector<std::string>& arguments);
  /// Ends the server.
  ~LocalServer() { stop(); }
  LocalServer(LocalServer&& other) noexcept;
  LocalServer& operator=(LocalServer&& other) noexcept;
  LocalServer(const LocalServer&) = delete;
  LocalServer& operator=(const LocalServer&) = delete;

  const std::string& url() const noexcept { return url_; }
  void stop() noexcept;

 private:
  LocalServer(pid_t pid, int output) : pid_(pid), output_(output) {}
  bool read_url();

  pid_t pid_ = -1;
  int output_ = -1;  ///< of its standard output; open as long as it lives, so that it never writes to nobody
  std::string url_;
};

/// `refserver` in the folder of this program.
std::filesystem::path bundled_server();

}  // namespace loadgen
