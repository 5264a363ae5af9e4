// What was measured beside what the server itself recorded of the same requests: the generator's own error, as numbers.
// Pure; knows no file.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "loadgen/record/interval.hpp"
#include "loadgen/summarize/summary.hpp"

namespace loadgen {

/// Times of one request in nanoseconds: from its arrival (measured: its send) to the first token, per further token,
/// and to the end. Absent where there is none.
struct RequestTimes {
  std::optional<std::int64_t> ttft, tpot, e2e;
};

class TruthMatcher {
 public:
  /// Keeps the times of a measured success; others are passed over.
  void add_measured(const RequestRow& row);
  /// What the server says of request `index`; counted once, whatever else is said of it.
  void add_true(std::uint64_t index, const RequestTimes& times);

  bool has_all() const noexcept { return matched_.size() == measured_.size(); }

  /// Percentiles only where enough requests stand behind them; `max` always.
  TruthComparison compare() const;

 private:
  struct Pair {
    RequestTimes measured, truth;
  };
  std::unordered_map<std::uint64_t, RequestTimes> measured_;
  std::unordered_map<std::uint64_t, Pair> matched_;
  std::uint64_t missing_in_run_ = 0;
};

}  // namespace loadgen
