// Distributions of durations, drawn by inverting their own distribution function: one uniform number per draw, and the
// percentiles that draws must show are known exactly.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "refserver/result.hpp"

namespace refserver {

/// All times in nanoseconds.
struct ConstantTime {
  double value = 0;
};
struct UniformTime {
  double low = 0;
  double high = 0;
};
struct ExponentialTime {
  double mean = 0;
};
/// Below 0 becomes 0.
struct NormalTime {
  double mean = 0;
  double deviation = 0;
};
struct LognormalTime {
  double median = 0;
  double sigma = 0;  ///< of the logarithm
};
struct GammaTime {
  double mean = 0;
  double shape = 1;  ///< 1: exponential; less: burstier
};
/// Above `cap` becomes `cap`.
struct ParetoTime {
  double least = 0;
  double alpha = 1;
  double cap = 0;
};
struct BimodalTime {
  double low = 0;
  double high = 0;
  double high_share = 0;
};
/// Each value equally likely; sorted, at least one.
struct EmpiricalTime {
  std::vector<double> values;
};

class Distribution {
 public:
  using Shape = std::variant<ConstantTime, UniformTime, ExponentialTime, NormalTime, LognormalTime, GammaTime,
                             ParetoTime, BimodalTime, EmpiricalTime>;

  /// No draw is longer.
  static constexpr std::chrono::nanoseconds kLongest = std::chrono::hours(1);

  Distribution(std::chrono::nanoseconds value = {})  // NOLINT(google-explicit-constructor): a duration is one
      : shape_(ConstantTime{static_cast<double>(value.count())}) {}
  /// `offset` is added to every draw.
  explicit Distribution(Shape shape, std::chrono::nanoseconds offset = {})
      : shape_(std::move(shape)), offset_ns_(static_cast<double>(offset.count())) {}

  /// The value that a share of 0 < p < 1 of all draws does not exceed, in nanoseconds and not rounded.
  double quantile_ns(double p) const;
  /// Of what is drawn, in nanoseconds, but for the limit `kLongest`.
  double mean_ns() const;
  /// The draw that belongs to a uniform random number, 0 < u < 1: its quantile, in whole nanoseconds.
  std::chrono::nanoseconds draw(double u) const;

  bool is_constant() const { return std::holds_alternative<ConstantTime>(shape_); }
  const Shape& shape() const { return shape_; }
  double offset_ns() const { return offset_ns_; }

 private:
  Shape shape_;
  double offset_ns_ = 0;
};

/// Reads a distribution as people write it:
///
///     20ms                      always this
///     uniform(10ms,30ms)        from, to
///     exp(20ms)                 mean
///     normal(20ms,5ms)          mean, standard deviation; below 0 becomes 0
///     lognormal(20ms,0.5)       median, sigma of the logarithm
///     gamma(20ms,0.5)           mean, shape
///     pareto(5ms,1.5,2s)        least, alpha, and what longer ones are cut to
///     bimodal(10ms,200ms,0.05)  mostly the first, the second in this share of draws
///     list(10ms,12ms,40ms)      each equally likely
///     file(gaps.txt)            the same from a file: a duration per line, '#' begins a comment
///     5ms+exp(20ms)             a constant and one of the others
///
/// The error says what is wrong with which part, and what would be right.
Result<Distribution, std::string> parse_distribution(std::string_view text);

}  // namespace refserver
