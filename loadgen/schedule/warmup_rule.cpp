// The steadiness rule of the measurement window.
#include "loadgen/schedule/warmup_rule.hpp"

#include <algorithm>
#include <cmath>

namespace loadgen {
namespace {

constexpr double least_s = 10;
constexpr double most_s = 60;
constexpr double stretch_s = 2;
constexpr double level_share = 0.05;

}  // namespace

double WarmupRule::Stretch::variance_of_mean() const noexcept {
  if (samples < 2) return 0;
  const double variance = std::max(0.0, sum_of_squares / samples - mean() * mean());
  return variance / samples;
}

void WarmupRule::sample(double at_s, double in_flight, std::uint64_t ended) {
  if (state_ != State::running) return;
  for (Stretch* stretch : {&total_, &current_}) {
    stretch->sum += in_flight;
    stretch->sum_of_squares += in_flight * in_flight;
    ++stretch->samples;
  }
  if (at_s - stretch_begin_s_ >= stretch_s) {
    if (previous_.samples > 0 && is_long_enough(at_s, ended) && is_level()) state_ = State::steady;
    previous_ = current_;
    current_ = Stretch{};
    stretch_begin_s_ = at_s;
  }
  if (state_ == State::running && at_s >= most_s) state_ = State::given_up;
}

bool WarmupRule::is_long_enough(double at_s, std::uint64_t ended) const noexcept {
  if (at_s < least_s || ended == 0) return false;
  const double mean_e2e_s = total_.mean() * at_s / static_cast<double>(ended);
  return at_s >= 2 * mean_e2e_s && static_cast<double>(ended) >= 2 * total_.mean();
}

bool WarmupRule::is_level() const noexcept {
  const double difference = std::abs(current_.mean() - previous_.mean());
  const double standard_error = std::sqrt(current_.variance_of_mean() + previous_.variance_of_mean());
  return difference <= level_share * previous_.mean() || difference <= 2 * standard_error;
}

}  // namespace loadgen
