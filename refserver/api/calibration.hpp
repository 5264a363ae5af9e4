// How well this machine keeps time, as measured on it: what the server's own times are good to. Plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace refserver {

/// Percentiles of one kind of delay.
struct DelayFacts {
  std::chrono::nanoseconds p50{0};
  std::chrono::nanoseconds p99{0};
  std::chrono::nanoseconds max{0};
};

struct Calibration {
  std::uint32_t samples = 0;  ///< of each kind
  DelayFacts timer;           ///< from when a sleep was to end to when the thread ran
  DelayFacts write;           ///< of a write of one event to a socket on loopback, until it came back
};

/// Beyond these the machine cannot be believed to the millisecond.
inline constexpr std::chrono::nanoseconds kNoisyTimer = std::chrono::milliseconds(1);
inline constexpr std::chrono::nanoseconds kNoisyWrite = std::chrono::microseconds(500);

inline bool is_noisy(const Calibration& c) {
  return c.timer.p99 > kNoisyTimer || c.write.p99 > kNoisyWrite;
}

/// "timer late by 0.061 ms (p50), 0.121 ms (p99); ...", with a warning where the machine is noisy.
std::string describe(const Calibration& calibration);
/// {"calibration":{...}}, all times in nanoseconds, without a line end.
std::string to_json(const Calibration& calibration);

}  // namespace refserver
