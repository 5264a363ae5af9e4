// Constant, Poisson and gamma arrivals as absolute offsets.
#include "loadgen/schedule/arrivals.hpp"

#include <algorithm>
#include <cmath>

#include "loadgen/plan/keyed_random.hpp"

namespace loadgen {

ArrivalSequence::ArrivalSequence(const OpenLoop& load, std::uint64_t seed) : load_(load), seed_(seed) {
  if (!load_.stages.empty()) profile_.emplace(load_.stages);
}

/// A gap of mean 1.
double ArrivalSequence::unit_gap(std::uint64_t index) const noexcept {
  switch (load_.arrivals) {
    case Arrivals::poisson:
      return -std::log(keyed_uniform_above_zero(seed_, Draw::arrival_gap, index));
    case Arrivals::gamma:
      return KeyedStream(seed_, Draw::arrival_gap, index).gamma(load_.shape);
    case Arrivals::constant:
      break;
  }
  return 1;
}

/// Kahan's sum: after 10^7 gaps the rounding of a plain one would already reach microseconds.
void ArrivalSequence::advance(double gap) noexcept {
  const double corrected = gap - compensation_;
  const double sum = elapsed_ + corrected;
  compensation_ = (sum - elapsed_) - corrected;
  elapsed_ = std::max(sum, elapsed_);  // a correction larger than the gap must not step back
}

std::int64_t ArrivalSequence::next() noexcept {
  const std::uint64_t index = index_++;
  if (load_.arrivals == Arrivals::constant) {
    const auto gaps = static_cast<double>(index);
    return profile_ ? profile_->time_of_area(gaps).value_or(never) : std::llround(gaps * 1e9 / load_.rate);
  }
  if (profile_) {
    advance(unit_gap(index));
    return profile_->time_of_area(elapsed_).value_or(never);
  }
  advance(unit_gap(index) / load_.rate);
  return std::llround(elapsed_ * 1e9);
}

}  // namespace loadgen
