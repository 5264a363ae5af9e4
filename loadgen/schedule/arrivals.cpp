// Constant and Poisson arrivals as absolute offsets.
#include "loadgen/schedule/arrivals.hpp"

#include <algorithm>
#include <cmath>

#include "loadgen/plan/keyed_random.hpp"

namespace loadgen {

ArrivalSequence::ArrivalSequence(const OpenLoop& load, std::uint64_t seed) noexcept : load_(load), seed_(seed) {}

std::int64_t ArrivalSequence::next() noexcept {
  const std::uint64_t index = index_++;
  if (load_.arrivals == Arrivals::constant) return std::llround(static_cast<double>(index) * 1e9 / load_.rate);

  // Kahan's sum: after 10^7 gaps the rounding of a plain sum would already reach microseconds.
  const double gap_s = -std::log(keyed_uniform_above_zero(seed_, Draw::arrival_gap, index)) / load_.rate;
  const double corrected = gap_s - compensation_;
  const double sum = elapsed_s_ + corrected;
  compensation_ = (sum - elapsed_s_) - corrected;
  elapsed_s_ = std::max(sum, elapsed_s_);  // a correction larger than the gap must not step back
  return std::llround(elapsed_s_ * 1e9);
}

}  // namespace loadgen
