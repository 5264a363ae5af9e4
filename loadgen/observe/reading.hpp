// What was read of one GPU, or of one model of one server, at one moment. Pure values.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "loadgen/plan/observed_metric.hpp"

namespace loadgen {

/// Whom a reading is about. Fields that do not apply are empty.
struct Subject {
  enum class Kind : std::uint8_t { gpu, server } kind = Kind::gpu;
  std::string source;  ///< nvml, or the URL of the page
  std::string gpu;     ///< index; INDEX:INSTANCE of a part of a GPU
  std::string uuid, name;
  std::string host;    ///< of the GPU
  std::string target;  ///< of a server
  std::string model;   ///< of a server; empty: what the page says of the server as a whole
};

/// Reasons for which a GPU ran below the clock it could have, as bits of NVML's mask; idleness and settings are none.
struct Throttle {
  static constexpr std::uint32_t power_cap = 0x4, hw_slowdown = 0x8, sw_thermal = 0x20, hw_thermal = 0x40,
                                 power_brake = 0x80;
  static constexpr std::uint32_t any = power_cap | hw_slowdown | sw_thermal | hw_thermal | power_brake;
};

struct ThrottleReason {
  std::uint32_t bit = 0;
  const char* name = "";
};
inline constexpr std::array<ThrottleReason, 5> throttle_reasons = {{{Throttle::power_cap, "power_cap"},
                                                                    {Throttle::hw_slowdown, "hw_slowdown"},
                                                                    {Throttle::sw_thermal, "sw_thermal"},
                                                                    {Throttle::hw_thermal, "hw_thermal"},
                                                                    {Throttle::power_brake, "power_brake"}}};

/// One value per metric that is read; NaN: not known.
class Values {
 public:
  Values() { values_.fill(std::numeric_limits<double>::quiet_NaN()); }
  double operator[](ObservedMetric metric) const { return values_[static_cast<std::size_t>(metric)]; }
  bool has(ObservedMetric metric) const { return !std::isnan((*this)[metric]); }
  void set(ObservedMetric metric, double value) { values_[static_cast<std::size_t>(metric)] = value; }

 private:
  std::array<double, read_metric_count> values_;
};

struct Reading {
  std::int64_t at_ns = 0;  ///< monotonic: the middle of the time the reading took
  Values values;
  std::uint32_t throttle = 0;  ///< bits of Throttle
  bool knows_throttle = false;
};

struct SubjectReading {
  Subject subject;
  Reading reading;
};

/// What one look at a source gave.
struct SourceRead {
  std::vector<SubjectReading> readings;
  std::string error;  ///< what could not be read; empty: everything was
};

/// Something that can be looked at once a second. Belongs to one thread.
class Source {
 public:
  virtual ~Source() = default;
  /// Blocks, for a few seconds at most where it is within our power. The stamps of the readings are the caller's.
  virtual SourceRead read() = 0;
};

}  // namespace loadgen
