// What a measurement is once it was read: plain values that formatters turn into bytes. No atomics, no format, no I/O.
#pragma once

#include <cstdint>
#include <numeric>
#include <string>
#include <variant>
#include <vector>

namespace exporters {

struct Label {
  std::string name;
  std::string value;
  auto operator<=>(const Label&) const = default;
};
using Labels = std::vector<Label>;

/// Only ever grows.
struct Counter {
  double value = 0;
};

/// Goes up and down.
struct Gauge {
  double value = 0;
};

/// One consistent reading of a bucketed histogram.
struct HistogramSnapshot {
  std::vector<double> edges;          ///< ascending upper bounds, inclusive; the bucket above the last one is implied
  std::vector<std::uint64_t> counts;  ///< per bucket, not cumulative: edges.size() + 1 of them
  double sum = 0;                     ///< of the observed values
  std::uint64_t count() const { return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}); }
};

struct Sample {
  Labels labels;
  std::variant<Counter, Gauge, HistogramSnapshot> value;
};

/// All samples of one name; they hold the same alternative and differ in their labels.
struct MetricFamily {
  std::string name;
  std::string help;
  std::vector<Sample> samples;
};

}  // namespace exporters
