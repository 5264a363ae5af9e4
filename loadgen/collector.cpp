// Intervals of the lanes become one, which is added up, shown and handed on.
#include "loadgen/collector.hpp"

#include <algorithm>
#include <variant>

#include "loadgen/plan/level_profile.hpp"

namespace loadgen {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t checkpoint_every_ns = 10 * second_ns;

std::optional<double> to_seconds(const std::optional<nanoseconds>& time) {
  return time ? std::optional(static_cast<double>(time->count()) * 1e-9) : std::nullopt;
}

}  // namespace

Collector::Collector(const Scenario& scenario, Lanes& lanes, RunTotals& totals, RunListener& listener)
    : scenario_(scenario), lanes_(lanes), totals_(totals), listener_(listener), merged_(lanes.make_interval()) {
  snapshot_.planned_requests = scenario_.length.requests;
}

void Collector::begin(std::int64_t start_ns) {
  last_boundary_ns_ = start_ns_ = start_ns;
  next_checkpoint_ns_ = start_ns + checkpoint_every_ns;
}

std::int64_t Collector::next_boundary(const RunControl& control) const {
  std::int64_t next = last_boundary_ns_ + second_ns;
  for (const std::int64_t edge : {control.window_begin.load(), control.window_end.load()}) {
    if (edge > last_boundary_ns_) next = std::min(next, edge);
  }
  return next;
}

void Collector::collect(std::int64_t boundary_ns, Phase phase) {
  merged_->reset();
  lanes_.collect_into(*merged_, boundary_ns - last_boundary_ns_);
  const std::uint64_t sent = lanes_.sum([](const WorkerCounters& c) { return c.sent.load(); });
  const std::uint64_t tokens = lanes_.sum([](const WorkerCounters& c) { return c.tokens.load(); });
  merged_->begin_ns = last_boundary_ns_;
  merged_->end_ns = boundary_ns;
  merged_->phase = phase;
  merged_->health.sent = sent - sent_at_collect_;
  merged_->health.tokens = tokens - tokens_at_collect_;
  sent_at_collect_ = sent;
  tokens_at_collect_ = tokens;
  last_boundary_ns_ = boundary_ns;
  totals_.add(*merged_);
  totals_.slowest.take(merged_->slowest);
  listener_.on_interval(totals_.facts, *merged_);
  note_latencies();
  note_rates();
}

void Collector::checkpoint_if_due(std::int64_t boundary_ns) {
  // A shard that is lost leaves a hole in a run of others; a run of one process that is lost is run again.
  if (totals_.facts.shards <= 1 || boundary_ns < next_checkpoint_ns_) return;
  totals_.facts.mono_end_ns = boundary_ns;
  listener_.on_checkpoint(totals_);
  next_checkpoint_ns_ = boundary_ns + checkpoint_every_ns;
}

void Collector::note_latencies() {
  const auto e2e = over_entries(totals_.entries, Metric::e2e);
  const auto ttft = over_entries(totals_.entries, Metric::ttft);
  snapshot_.e2e_p50_ms = e2e.percentile_ms(0.5);
  snapshot_.e2e_p99_ms = e2e.percentile_ms(0.99);
  snapshot_.ttft_p50_ms = ttft.percentile_ms(0.5);
  snapshot_.ttft_p99_ms = ttft.percentile_ms(0.99);
}

void Collector::note_rates() {
  const double length_s = static_cast<double>(merged_->end_ns - merged_->begin_ns) * 1e-9;
  if (length_s <= 0) return;
  snapshot_.achieved_rate = static_cast<double>(merged_->health.sent) / length_s;
  snapshot_.tokens_rate = static_cast<double>(merged_->health.tokens) / length_s;
  snapshot_.offered_rate = snapshot_.achieved_rate;
  const auto* open = std::get_if<OpenLoop>(&scenario_.load);
  if (open == nullptr) return;
  const double rate =
      open->stages.empty() ? open->rate : LevelProfile(open->stages).level_at(merged_->end_ns - start_ns_);
  snapshot_.offered_rate = rate / totals_.facts.shards;
}

void Collector::show_progress(std::int64_t now, Phase phase, std::int64_t phase_begin_ns) {
  snapshot_.phase = phase;
  snapshot_.elapsed_s = std::max(0.0, static_cast<double>(now - start_ns_) * 1e-9);
  snapshot_.phase_elapsed_s = std::max(0.0, static_cast<double>(now - phase_begin_ns) * 1e-9);
  snapshot_.phase_total_s.reset();
  if (phase == Phase::warmup) snapshot_.phase_total_s = to_seconds(scenario_.warmup);
  if (phase == Phase::measure) snapshot_.phase_total_s = to_seconds(scenario_.length.duration);
  snapshot_.in_flight = lanes_.sum([](const WorkerCounters& c) { return c.in_flight.load(); });
  snapshot_.ok = lanes_.sum([](const WorkerCounters& c) { return c.ok.load(); });
  snapshot_.failed = lanes_.sum([](const WorkerCounters& c) { return c.failed.load(); });
  listener_.on_progress(snapshot_);
}

}  // namespace loadgen
