// The formulas, in the order of the metric table.
#include "loadgen/record/request_metrics.hpp"

#include <algorithm>

namespace loadgen {
namespace {

void set_gap_statistics(const RequestRecord& record, RequestMetrics& metrics) {
  if (record.events.size() < 2) return;
  thread_local std::vector<std::int64_t> gaps;  // reused: one request after the other, no allocation once grown
  gaps.clear();
  for (std::size_t i = 1; i < record.events.size(); ++i)
    gaps.push_back(record.events[i].at_ns - record.events[i - 1].at_ns);
  const std::int64_t sum = record.events.back().at_ns - record.events.front().at_ns;
  metrics.icl_mean = sum / static_cast<std::int64_t>(gaps.size());
  const std::size_t rank = (gaps.size() * 99 + 99) / 100;  // nearest rank: ceil(0.99 N), from 1
  std::nth_element(gaps.begin(), gaps.begin() + static_cast<std::ptrdiff_t>(rank - 1), gaps.end());
  metrics.icl_p99 = gaps[rank - 1];
  metrics.icl_max = *std::max_element(gaps.begin(), gaps.end());
}

}  // namespace

RequestMetrics compute_metrics(const RequestRecord& record, LoopKind loop) {
  RequestMetrics metrics;
  const Stamps& t = record.stamps;
  const auto events = record.events.size();
  metrics.chunks = static_cast<std::uint32_t>(events);
  if (loop == LoopKind::open && t.send != 0) metrics[Metric::lateness] = t.send - t.intended;
  if (record.new_connection && t.connected != 0) metrics[Metric::connect] = t.connected - t.dispatch;
  if (record.outcome != Outcome::ok) return metrics;

  if (events >= 1) {
    metrics[Metric::ttft] = t.first_token - t.send;
    if (loop == LoopKind::open) metrics[Metric::ttft_sched] = t.first_token - t.intended;
    if (t.first_output != 0) metrics[Metric::ttfo] = t.first_output - t.send;
    metrics[Metric::e2e_last_token] = t.last_token - t.send;
  }
  if (events >= 2) {
    metrics[Metric::ttst] = record.events[1].at_ns - record.events[0].at_ns;
    if (record.output_tokens >= 2) {
      metrics[Metric::tpot] = (t.last_token - t.first_token) / static_cast<std::int64_t>(record.output_tokens - 1);
    }
  }
  metrics[Metric::e2e] = t.end - t.send;
  if (loop == LoopKind::open) metrics[Metric::e2e_sched] = t.end - t.intended;
  if (t.headers != 0 && t.sent != 0) metrics[Metric::server_wait] = t.headers - t.sent;
  metrics.unstreamed = record.streamed && events == 1 && record.output_tokens > 1;
  set_gap_statistics(record, metrics);
  return metrics;
}

void append_icl(const RequestRecord& record, std::vector<GapValue>& gaps) {
  for (std::size_t i = 1; i < record.events.size(); ++i) {
    gaps.push_back({record.events[i].at_ns - record.events[i - 1].at_ns, 1});
  }
}

bool append_itl(const RequestRecord& record, std::vector<GapValue>& gaps) {
  const bool known =
      std::all_of(record.events.begin(), record.events.end(), [](const TokenEvent& e) { return e.tokens > 0; });
  if (!known) return false;
  for (std::size_t i = 1; i < record.events.size(); ++i) {
    const std::uint32_t tokens = record.events[i].tokens;
    gaps.push_back({(record.events[i].at_ns - record.events[i - 1].at_ns) / tokens, tokens});
  }
  return true;
}

}  // namespace loadgen
