// The one clock of the load generator: CLOCK_MONOTONIC in integer nanoseconds, the same in every thread and in
// refserver.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>

namespace loadgen {

inline std::int64_t monotonic_ns() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

/// The same instant as Asio's timers want it (libstdc++'s steady_clock is CLOCK_MONOTONIC).
inline std::chrono::steady_clock::time_point steady_time(std::int64_t ns) noexcept {
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(ns));
}

}  // namespace loadgen
