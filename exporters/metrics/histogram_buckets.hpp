// A histogram over fixed bucket edges that any thread may write to: what a /metrics page shows.
// Knows no name, no label and no text format.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "exporters/metrics/sample.hpp"

namespace exporters {

/// TGI's edges for every metric named "..._duration", in seconds: 0.0001 * 1.5^k, k = 1 ... 35, by repeated
/// multiplication.
std::vector<double> tgi_duration_edges();

/// Our own edges in seconds, fine enough for quantiles within 4 %: 0.0001 * 2^(k/4), k = 0 ... 90 (0.1 ms to 593 s).
std::vector<double> fine_duration_edges();

class HistogramBuckets {
 public:
  /// `edges`: finite, strictly ascending upper bounds (inclusive), asserted; values above the last one have their own
  /// bucket.
  explicit HistogramBuckets(std::vector<double> edges);

  /// Counts one value. Wait-free but for the sum; a NaN is not counted.
  void observe(double value) noexcept;

  /// Bucket counts and their total agree always; the sum may lag or lead by values observed during the call.
  HistogramSnapshot snapshot() const;

 private:
  std::vector<double> edges_;
  std::vector<std::atomic<std::uint64_t>> counts_;
  std::atomic<double> sum_{0.0};
};

}  // namespace exporters
