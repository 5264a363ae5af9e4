// Which numbers a request enters: latency by its intended start, throughput by when its bytes arrived.
#include "loadgen/record/recorder.hpp"

#include <algorithm>
#include <cmath>

namespace loadgen {
namespace {

constexpr std::size_t distinct_errors_limit = 16;

bool inside(std::int64_t at_ns, const Window& window) noexcept {
  return at_ns != 0 && at_ns >= window.begin_ns && at_ns < window.end_ns;
}

std::int64_t overlap(std::int64_t begin, std::int64_t end, const Window& window) noexcept {
  return std::max<std::int64_t>(0, std::min(end, window.end_ns) - std::max(begin, window.begin_ns));
}

/// Tokens that arrived in the window: by event where each event's count is known, else in proportion to the overlap.
std::uint64_t tokens_in_window(const RequestRecord& record, const Window& window) {
  const auto& events = record.events;
  const bool known =
      !events.empty() && std::all_of(events.begin(), events.end(), [](const auto& e) { return e.tokens > 0; });
  if (known) {
    std::uint64_t sum = 0;
    for (const TokenEvent& event : events) sum += inside(event.at_ns, window) ? event.tokens : 0;
    return sum;
  }
  const std::int64_t begin = events.empty() ? record.stamps.send : record.stamps.first_token;
  const std::int64_t end = events.empty() ? record.stamps.end : record.stamps.last_token;
  if (end <= begin) return inside(end, window) ? record.output_tokens : 0;
  const std::int64_t within = overlap(begin, end, window);
  if (within == end - begin) return record.output_tokens;
  const double share = static_cast<double>(within) / static_cast<double>(end - begin);
  return static_cast<std::uint64_t>(std::llround(share * record.output_tokens));
}

bool is_timeout(Outcome outcome) noexcept {
  return outcome == Outcome::timeout_connect || outcome == Outcome::timeout_ttft || outcome == Outcome::timeout_total;
}

void count_reason(const std::string& reason, EntryTally& tally) {
  static const std::string unknown = "unknown";
  ++tally.finish_reasons[reason.empty() ? unknown : reason];
}

void count_error(const RequestRecord& record, EntryTally& tally) {
  std::string key(label(record.outcome));
  if (!record.error.empty()) key += ": " + record.error;
  if (tally.error_messages.size() >= distinct_errors_limit && !tally.error_messages.contains(key))
    key = "(other errors)";
  ++tally.error_messages[key];
}

}  // namespace

Recorder::Recorder(const Scenario& scenario, const RunControl& control, RecordLevel level, std::uint32_t slowest)
    : scenario_(scenario),
      control_(control),
      level_(level),
      slowest_limit_(slowest),
      loop_(is_open_loop(scenario) ? LoopKind::open : LoopKind::closed),
      in_flight_(scenario.mix.size()),
      current_(make_interval()) {}

std::unique_ptr<Interval> Recorder::make_interval() const {
  auto interval = std::make_unique<Interval>();
  interval->entries.resize(scenario_.mix.size());
  interval->slowest = SlowestRequests(slowest_limit_);
  return interval;
}

std::unique_ptr<Interval> Recorder::swap(std::unique_ptr<Interval> spare) {
  for (std::size_t i = 0; i < in_flight_.size(); ++i) current_.active().entries[i].in_flight = in_flight_[i];
  return current_.swap(std::move(spare));
}

Window Recorder::window() const noexcept {
  return {control_.window_begin.load(std::memory_order_relaxed), control_.window_end.load(std::memory_order_relaxed)};
}

void Recorder::on_loop_lag(std::int64_t lag_ns) {
  current_.active().health.loop_lag.record_ns(lag_ns);
}

void Recorder::on_read(const Arrival& arrival) {
  GeneratorHealth& health = current_.active().health;
  if (arrival.is_kernel_stamp) {
    health.recv_delay.record_ns(arrival.delay_ns());
  } else {
    ++health.unstamped_reads;
  }
}

void Recorder::on_start(std::uint32_t entry) {
  ++current_.active().entries[entry].started;
  ++in_flight_[entry];
}

void Recorder::on_request(const RequestRecord& record) {
  EntryTally& tally = current_.active().entries[record.entry];
  if (record.outcome != Outcome::dropped) --in_flight_[record.entry];
  const RequestMetrics metrics = compute_metrics(record, loop_);
  ++tally.ended[static_cast<std::size_t>(record.phase)][static_cast<std::size_t>(record.outcome)];
  count_in_window(record, window(), tally);
  if (record.phase == Phase::measure) {
    record_measured(record, metrics, tally);
    if (record.stamps.send != 0) current_.active().health.write_delay.record_ns(record.write_delay_ns);
    current_.active().slowest.add(record, metrics, loop_);
  }
  if (level_ == RecordLevel::all) current_.active().rows.push_back({record, metrics});
}

void Recorder::count_in_window(const RequestRecord& record, const Window& window, EntryTally& tally) const {
  const Stamps& t = record.stamps;
  const bool ok = record.outcome == Outcome::ok;
  if (inside(t.intended, window)) ++tally.offered_in_window;
  if (inside(t.send, window)) ++tally.achieved_in_window;
  if (t.send == 0) return;
  if (ok && inside(t.end, window)) ++tally.completed_in_window;
  tally.overlap_ns += overlap(t.send, t.end, window);
  tally.output_tokens_in_window += tokens_in_window(record, window);
  const std::int64_t prefill_done = t.first_token != 0 ? t.first_token : t.end;
  if (ok && record.input_tokens && inside(prefill_done, window)) tally.input_tokens_in_window += *record.input_tokens;
  if (!ok) return;
  tally.all_output_tokens += record.output_tokens;
  tally.all_input_tokens += record.input_tokens.value_or(0);
  tally.first_send_ns = tally.first_send_ns == 0 ? t.send : std::min(tally.first_send_ns, t.send);
  tally.last_token_ns = std::max(tally.last_token_ns, t.last_token != 0 ? t.last_token : t.end);
}

void Recorder::record_measured(const RequestRecord& record, const RequestMetrics& metrics, EntryTally& tally) {
  for (std::size_t m = 0; m < metric_count; ++m) {
    if (metrics.single[m]) tally.latency[m].record_ns(*metrics.single[m]);
  }
  if (is_failure(record.outcome)) count_error(record, tally);
  if (is_timeout(record.outcome)) record_censored(record, tally);
  if (record.outcome != Outcome::ok) {
    tally.wasted_tokens += record.output_tokens;
    return;
  }
  record_gaps(record, tally);
  tally.output_tokens += record.output_tokens;
  tally.input_tokens += record.input_tokens.value_or(0);
  if (record.requested_input_tokens > 0 && record.input_tokens) {
    tally.requested_input_tokens += record.requested_input_tokens;
    tally.told_input_tokens += *record.input_tokens;
  }
  tally.requested_tokens += record.requested_tokens;
  tally.osl_mismatches += record.output_tokens != record.requested_tokens ? 1 : 0;
  tally.streamed += record.streamed ? 1 : 0;
  tally.unstreamed += metrics.unstreamed ? 1 : 0;
  tally.token_events += record.events.size();
  tally.coalesced_events += record.coalesced_events;
  tally.index_breaks += record.index_breaks;
  ++tally.token_sources[static_cast<std::size_t>(record.token_source)];
  count_reason(record.finish_reason, tally);
}

void Recorder::record_censored(const RequestRecord& record, EntryTally& tally) const {
  const std::int64_t waited =
      record.stamps.end - (record.stamps.send != 0 ? record.stamps.send : record.stamps.dispatch);
  const bool first_token_missing = record.streamed && record.events.empty();
  tally[Metric::e2e].record_censored(waited);
  if (first_token_missing) tally[Metric::ttft].record_censored(waited);
  if (record.streamed && record.stamps.first_output == 0) tally[Metric::ttfo].record_censored(waited);
  if (loop_ == LoopKind::closed) return;
  const std::int64_t waited_sched = record.stamps.end - record.stamps.intended;
  tally[Metric::e2e_sched].record_censored(waited_sched);
  if (first_token_missing) tally[Metric::ttft_sched].record_censored(waited_sched);
}

void Recorder::record_gaps(const RequestRecord& record, EntryTally& tally) {
  if (record.events.size() < 2) return;
  gaps_.clear();
  append_icl(record, gaps_);
  for (const GapValue& gap : gaps_) tally[Metric::icl].record_ns(gap.gap_ns);
  gaps_.clear();
  append_itl(record, gaps_);
  for (const GapValue& gap : gaps_) tally[Metric::itl].record_ns(gap.gap_ns, gap.count);
}

}  // namespace loadgen
