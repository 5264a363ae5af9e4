// When is request n of an open-loop plan due? A pure sequence of absolute offsets: time is never read here.
#pragma once

#include <cstdint>
#include <optional>

#include "loadgen/plan/level_profile.hpp"
#include "loadgen/plan/scenario.hpp"

namespace loadgen {

/// Offsets in nanoseconds from the start of the plan, non-decreasing, absolute (no drift: never sums of rounded gaps).
/// Every worker of every process walks the same sequence and keeps its own share, so the dealt-out plan is the plan
/// itself. A rate that changes is followed exactly: the gaps of rate 1 are laid along the area under it.
class ArrivalSequence {
 public:
  static constexpr std::int64_t never = INT64_MAX;

  ArrivalSequence(const OpenLoop& load, std::uint64_t seed);

  /// The offset of the next request, starting with request 0; `never` when the rate has come to an end.
  std::int64_t next() noexcept;

 private:
  double unit_gap(std::uint64_t index) const noexcept;
  void advance(double gap) noexcept;

  OpenLoop load_;
  std::optional<LevelProfile> profile_;  ///< of a load with stages
  std::uint64_t seed_;
  std::uint64_t index_ = 0;
  double elapsed_ = 0;       ///< sum of the gaps: seconds, or with stages the area under the rate
  double compensation_ = 0;  ///< Kahan term of that sum
};

}  // namespace loadgen
