// One latency metric: what was measured, plus what is only known to have taken longer than some limit.
// Values come in nanoseconds and are read in milliseconds. Knows no clock and no metric name. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>

#include "exporters/metrics/hdr_histogram.hpp"
#include "exporters/metrics/moments.hpp"

namespace exporters {

/// Fewest values for which the q-quantile is worth printing (q in [0, 1]): the smallest n at which at most one value
/// above a bound proves, with 99 % confidence, that less than 1 - q of the population is above it (MLPerf's early
/// stopping rule). p90 64, p95 130, p99 662, p99.9 6636; 1 for the median and below, and for the maximum.
std::uint64_t percentile_floor(double q);

class Distribution {
 public:
  Distribution() = default;
  /// From its parts, as another process wrote them. `moments` and `histogram` have the same count (asserted).
  Distribution(HdrHistogram histogram, const Moments& moments, std::uint64_t censored, std::int64_t censored_above_ns);

  /// Counts a duration `count` times: in the histogram as microseconds rounded to nearest (1 µs to 1 h, others clamped
  /// and counted there), in mean and deviation exactly.
  void record_ns(std::int64_t ns, std::uint64_t count = 1) {
    const std::int64_t rest = ns % 1000;
    histogram_.record(ns / 1000 + (rest >= 500 ? 1 : rest <= -500 ? -1 : 0), count);
    moments_.record(static_cast<double>(ns) * 1e-6, count);
  }

  /// Counts a duration of which only a lower limit is known (a timeout). It ranks above every measured value in
  /// percentiles and is no part of mean, deviation, minimum and maximum.
  void record_censored(std::int64_t limit_ns);

  /// Adds everything of `other`; lossless for the histogram, exact up to rounding for mean and deviation.
  void add(const Distribution& other);
  /// Empties it and keeps the memory.
  void reset() noexcept;

  std::uint64_t count() const noexcept { return moments_.count; }  ///< measured values, censored ones not included
  std::uint64_t censored() const noexcept { return censored_; }
  /// The smallest limit of the censored values in ms: a percentile that falls among them is above it.
  std::optional<double> censored_above_ms() const noexcept;

  double mean_ms() const noexcept { return moments_.mean; }     ///< exact; 0 when empty
  double std_ms() const noexcept { return moments_.stddev(); }  ///< exact, population form; 0 when empty
  /// From the histogram, so that they agree with its percentiles; 0 when empty.
  double min_ms() const noexcept { return to_ms(histogram_.min_value()); }
  double max_ms() const noexcept { return to_ms(histogram_.max_value()); }

  /// The q-quantile (q in [0, 1]) by HdrHistogram's rank rule over measured and censored values together; nothing when
  /// empty or when its rank falls among the censored.
  std::optional<double> percentile_ms(double q) const;
  /// The same, but nothing also when there are fewer than percentile_floor(q) values.
  std::optional<double> reportable_percentile_ms(double q) const;

  const Moments& moments() const noexcept { return moments_; }                    ///< in milliseconds
  std::int64_t censored_above_ns() const noexcept { return censored_above_ns_; }  ///< 0 where nothing is censored
  /// The measured values in microseconds.
  const HdrHistogram& histogram() const noexcept { return histogram_; }

 private:
  static double to_ms(std::int64_t us) noexcept { return static_cast<double>(us) / 1000.0; }

  HdrHistogram histogram_;
  Moments moments_;
  std::uint64_t censored_ = 0;
  std::int64_t censored_above_ns_ = 0;  ///< meaningful when censored_ > 0
};

}  // namespace exporters
