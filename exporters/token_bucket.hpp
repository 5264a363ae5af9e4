// A pace: so many per second, with a small burst. Time is an argument; knows no clock.
#pragma once

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cmath>
#include <cstddef>

namespace exporters {

class TokenBucket {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// `per_second` > 0, `burst` >= 1 (asserted); full at `now`.
  TokenBucket(double per_second, std::size_t burst, TimePoint now)
      : per_second_(per_second), burst_(static_cast<double>(burst)), tokens_(burst_), at_(now) {
    assert(per_second > 0 && burst >= 1);
  }

  /// How many may go now; never more than the burst.
  std::size_t available(TimePoint now) {
    if (now > at_) {
      tokens_ = std::min(burst_, tokens_ + std::chrono::duration<double>(now - at_).count() * per_second_);
      at_ = now;
    }
    return static_cast<std::size_t>(tokens_);
  }

  /// `count` went, at most available().
  void take(std::size_t count) { tokens_ -= static_cast<double>(count); }

  /// When `count` (at most the burst) will be available, if none goes before.
  TimePoint ready_at(std::size_t count) const {
    const double missing = std::max(0.0, static_cast<double>(count) - tokens_);
    const std::chrono::duration<double, std::nano> wait(std::ceil(missing / per_second_ * 1e9));
    return at_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(wait);
  }

 private:
  double per_second_;
  double burst_;
  double tokens_;
  TimePoint at_;
};

}  // namespace exporters
