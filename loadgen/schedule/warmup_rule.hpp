// When has a run warmed up, if nobody said how long that takes? A pure rule over samples of the requests in flight.
#pragma once

#include <cstdint>
#include <vector>

namespace loadgen {

/// Warm-up is over after at least max(10 s, 2 x mean E2E, 2 x concurrency requests) once the mean number in flight of
/// two successive 2 s stretches differs by less than 5 % or by less than twice its standard error. The mean E2E is
/// taken from Little's law over the samples (in flight / rate of endings), since nothing is recorded before the window.
class WarmupRule {
 public:
  enum class State : std::uint8_t {
    running,
    steady,
    given_up,  ///< 60 s passed without steadiness: measure anyway, and say so
  };

  /// One sample: seconds since the start of the load, requests in flight, requests ended so far. Samples come every
  /// tenth of a second or so, in order.
  void sample(double at_s, double in_flight, std::uint64_t ended);

  State state() const noexcept { return state_; }

 private:
  struct Stretch {
    double sum = 0, sum_of_squares = 0;
    std::uint32_t samples = 0;
    double mean() const noexcept { return samples == 0 ? 0 : sum / samples; }
    double variance_of_mean() const noexcept;
  };

  bool is_long_enough(double at_s, std::uint64_t ended) const noexcept;
  bool is_level() const noexcept;

  State state_ = State::running;
  Stretch total_;
  Stretch previous_, current_;
  double stretch_begin_s_ = 0;
};

}  // namespace loadgen
