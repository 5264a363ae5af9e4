// The one place where monotonic stamps become wall-clock time, for labels and time stamps of points only.
#pragma once

#include <cstdint>
#include <string>

#include "loadgen/record/run_totals.hpp"

namespace loadgen {

/// Unix time in nanoseconds of a CLOCK_MONOTONIC stamp of this run.
constexpr std::int64_t wall_ns(const RunFacts& facts, std::int64_t monotonic_ns) noexcept {
  return facts.wall_start_ms * 1'000'000 + (monotonic_ns - facts.mono_start_ns);
}

/// `2026-11-21T03:15:00.123Z`
std::string iso8601(std::int64_t unix_ms);

}  // namespace loadgen
