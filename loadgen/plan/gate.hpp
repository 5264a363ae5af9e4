// A gate: one statement about a run's numbers that must hold, such as `p99(e2e) < 1500ms`. Parsed here, judged in
// summarize.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "loadgen/plan/metric.hpp"
#include "loadgen/plan/observed_metric.hpp"
#include "loadgen/result.hpp"

namespace loadgen {

/// mean(m), min(m), max(m) or a percentile pNN(m) of a latency metric.
struct LatencyTerm {
  enum class Statistic : std::uint8_t { mean, min, max, percentile } statistic = Statistic::percentile;
  double quantile = 0.99;  ///< in (0, 1), for percentiles
  Metric metric = Metric::e2e;
};

/// Scalars of a run: share of failures, rates per second, mean requests in flight.
enum class Scalar : std::uint8_t {
  error_rate,               ///< failed / (ok + failed), 0..1
  qps,                      ///< request_throughput: successes that ended in the window, per second
  output_token_throughput,  ///< tokens per second
  concurrency_mean,
  errors,        ///< number of failed requests
  osl_mismatch,  ///< share of the successes whose output has another length than asked for, 0..1
};

/// A statistic over the readings of one GPU or server in the window, or a number per run: max(gpu.memory_used_mib),
/// last(server.waiting, model=M), gpu.joules_per_token.
struct ObservedTerm {
  enum class Statistic : std::uint8_t {
    mean,
    min,
    max,
    last,
    percentile,
    whole,  ///< of totals and derived numbers: what there was in the window
  } statistic = Statistic::max;
  double quantile = 0.99;  ///< in (0, 1), for percentiles
  ObservedMetric metric = ObservedMetric::gpu_utilization;
  std::string only;  ///< the index of a GPU or the name of a model; empty: it must hold for each
};

struct Gate {
  enum class Comparison : std::uint8_t { less, less_equal, greater, greater_equal };
  std::string text;  ///< as written
  std::variant<LatencyTerm, Scalar, ObservedTerm> term;
  Comparison comparison = Comparison::less;
  double limit = 0;   ///< ms for latency terms and queue times, a plain number (0.001 for 0.1%) for others
  std::string entry;  ///< the mix entry it is about; empty: the whole run
};

/// Parses `p99(e2e) < 1500ms`, `mean(ttft) <= 0.2s`, `error_rate < 0.1%`, `qps >= 8`, `p95(ttft, entry-name) < 300ms`,
/// `max(gpu.memory_used_mib, gpu=0) < 7152`.
/// Errors say what was expected and where.
Result<Gate, std::string> parse_gate(std::string_view text);

}  // namespace loadgen
