// When is request n of an open-loop plan due? A pure sequence of absolute offsets: time is never read here.
#pragma once

#include <cstdint>

#include "loadgen/plan/scenario.hpp"

namespace loadgen {

/// Offsets in nanoseconds from the start of the plan, non-decreasing, absolute (no drift: never sums of rounded gaps).
/// Every worker walks the same sequence and keeps its own share, so the dealt-out plan is the plan itself.
class ArrivalSequence {
 public:
  ArrivalSequence(const OpenLoop& load, std::uint64_t seed) noexcept;

  /// The offset of the next request, starting with request 0.
  std::int64_t next() noexcept;

 private:
  OpenLoop load_;
  std::uint64_t seed_;
  std::uint64_t index_ = 0;
  double elapsed_s_ = 0;     ///< running sum of unit-rate gaps divided by the rate
  double compensation_ = 0;  ///< Kahan term of that sum
};

}  // namespace loadgen
