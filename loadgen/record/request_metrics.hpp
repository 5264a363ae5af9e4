// From the stamps of one ended request to its metrics: the formulas, and nothing else. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "loadgen/drive/request_record.hpp"
#include "loadgen/plan/metric.hpp"

namespace loadgen {

enum class LoopKind : std::uint8_t { closed, open };

/// One value of a per-token series, to be counted `tokens` times.
struct GapValue {
  std::int64_t gap_ns = 0;
  std::uint32_t count = 1;
};

/// Metrics of one request, in nanoseconds; absent = not defined for it.
struct RequestMetrics {
  std::array<std::optional<std::int64_t>, metric_count> single;  ///< by Metric; icl and itl stay empty here
  std::optional<std::int64_t> icl_mean;
  std::optional<std::int64_t> icl_p99;  ///< nearest rank within this request
  std::optional<std::int64_t> icl_max;
  std::uint32_t chunks = 0;  ///< token-bearing events
  bool unstreamed = false;   ///< asked for as a stream, all tokens in one event

  const std::optional<std::int64_t>& operator[](Metric m) const { return single[static_cast<std::size_t>(m)]; }
  std::optional<std::int64_t>& operator[](Metric m) { return single[static_cast<std::size_t>(m)]; }
};

/// Applies the definitions of docs/metrics.md. Successful requests get all metrics that are defined for them; failed
/// ones only lateness and connect (their latencies are not part of any distribution).
RequestMetrics compute_metrics(const RequestRecord& record, LoopKind loop);

/// Gaps between token events (ICL), appended to `gaps`; count is 1 each.
void append_icl(const RequestRecord& record, std::vector<GapValue>& gaps);

/// Gaps smeared over the tokens they brought (ITL); returns false, appending nothing, when some event's count is
/// unknown.
bool append_itl(const RequestRecord& record, std::vector<GapValue>& gaps);

}  // namespace loadgen
