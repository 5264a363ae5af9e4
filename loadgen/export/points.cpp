#include "loadgen/export/points.hpp"

#include "loadgen/export/wall_time.hpp"

namespace loadgen {
namespace {

using exporters::Batch;
using exporters::InfluxPoint;

/// When the request was over, or the last thing that happened to it.
std::int64_t completion_ns(const Stamps& stamps) {
  for (const std::int64_t ns : {stamps.end, stamps.send, stamps.dispatch, stamps.intended})
    if (ns != 0) return ns;
  return 0;
}

void add_seconds(InfluxPoint& point, std::string_view key, const std::optional<std::int64_t>& ns) {
  if (ns) point.field(key, static_cast<double>(*ns) * 1e-9);
}

/// Percentiles of exactly this second, in seconds, under `<metric>_p50` and so on. The names are constants, so that the
/// point may keep views of them.
struct PercentileKeys {
  Metric metric;
  std::string_view p50, p95, p99, max;
};
constexpr PercentileKeys interval_percentiles[] = {
    {Metric::ttft, "ttft_p50", "ttft_p95", "ttft_p99", "ttft_max"},
    {Metric::ttfo, "ttfo_p50", "ttfo_p95", "ttfo_p99", "ttfo_max"},
    {Metric::tpot, "tpot_p50", "tpot_p95", "tpot_p99", "tpot_max"},
    {Metric::icl, "icl_p50", "icl_p95", "icl_p99", "icl_max"},
    {Metric::e2e, "e2e_p50", "e2e_p95", "e2e_p99", "e2e_max"},
    {Metric::ttft_sched, "ttft_sched_p50", "ttft_sched_p95", "ttft_sched_p99", "ttft_sched_max"},
    {Metric::e2e_sched, "e2e_sched_p50", "e2e_sched_p95", "e2e_sched_p99", "e2e_sched_max"},
};

void add_percentiles(InfluxPoint& point, const EntryTally& tally) {
  for (const PercentileKeys& keys : interval_percentiles) {
    const exporters::Distribution& values = tally[keys.metric];
    if (values.count() == 0) continue;
    const auto add = [&](std::string_view key, double quantile) {
      if (const auto ms = values.percentile_ms(quantile)) point.field(key, *ms / 1000);
    };
    add(keys.p50, 0.5);
    add(keys.p95, 0.95);
    add(keys.p99, 0.99);
    point.field(keys.max, values.max_ms() / 1000);
  }
}

struct Ended {
  std::uint64_t ok = 0;
  std::uint64_t failed = 0;
};

Ended count_ended(const EntryTally& tally) {
  Ended ended;
  for (const auto& phase : tally.ended) {
    for (std::size_t i = 0; i < outcome_count; ++i) {
      if (static_cast<Outcome>(i) == Outcome::ok) ended.ok += phase[i];
      if (is_failure(static_cast<Outcome>(i))) ended.failed += phase[i];
    }
  }
  return ended;
}

/// With several processes each one's points carry its number: two with equal tags and times would be one.
InfluxPoint& tag_run(InfluxPoint& point, const RunFacts& facts) {
  point.tag("run", facts.run_id);
  if (facts.shards > 1) point.tag("shard", std::to_string(facts.shard));
  return point;
}

}  // namespace

void PointRenderer::append_request(Batch& batch, const RunFacts& facts, const EntryWords& words,
                                   const RequestRow& row) {
  const RequestFacts& record = row.record;
  InfluxPoint point(batch.bytes, "llm_request");
  tag_run(point, facts).tag("entry", words.entry).tag("scenario", words.scenario);
  point.tag("route", words.route).tag("phase", label(record.phase)).tag("target", words.target);
  point.tag("model", words.model).tag("outcome", label(record.outcome));
  for (const Metric metric :
       {Metric::ttft, Metric::ttft_sched, Metric::ttfo, Metric::tpot, Metric::e2e, Metric::e2e_sched,
        Metric::e2e_last_token, Metric::ttst, Metric::lateness, Metric::connect, Metric::server_wait})
    add_seconds(point, label(metric), row.metrics[metric]);
  add_seconds(point, "icl_mean", row.metrics.icl_mean);
  add_seconds(point, "icl_p99", row.metrics.icl_p99);
  add_seconds(point, "icl_max", row.metrics.icl_max);
  if (record.input_tokens) point.field("tok_in", *record.input_tokens);
  point.field("tok_out", record.output_tokens).field("chunks", row.metrics.chunks);
  point.field("http_status", record.http_status).field("id", std::string_view(std::to_string(record.index)));
  if (!record.error.empty()) point.field("error", std::string_view(record.error));
  const std::int64_t at = completion_ns(record.stamps);
  point.finish(request_clock_.next(wall_ns(facts, at == 0 ? facts.mono_start_ns : at)));
  batch.end_record();
}

void PointRenderer::append_entry(Batch& batch, const RunFacts& facts, const Interval& interval, std::size_t entry) {
  const EntryTally& tally = interval.entries[entry];
  const Ended ended = count_ended(tally);
  InfluxPoint point(batch.bytes, "llm_interval");
  tag_run(point, facts).tag("entry", scenario_.mix.at(entry).name);
  point.tag("phase", label(interval.phase)).tag("target", scenario_.mix[entry].target.url);
  point.tag("model", scenario_.mix[entry].model);
  point.field("sent", tally.started).field("in_flight", tally.in_flight);
  point.field("done", ended.ok).field("failed", ended.failed);
  point.field("tok_in", tally.input_tokens).field("tok_out", tally.all_output_tokens);
  add_percentiles(point, tally);
  point.finish(wall_ns(facts, interval.begin_ns));
  batch.end_record();
}

void PointRenderer::append_load(Batch& batch, const RunFacts& facts, const Interval& interval) {
  const GeneratorHealth& health = interval.health;
  InfluxPoint point(batch.bytes, "llm_load");
  tag_run(point, facts).tag("phase", label(interval.phase));
  point.field("sent", health.sent).field("in_flight", health.in_flight).field("tok_out", health.tokens);
  if (health.wall_ns > 0)
    point.field("cpu_share", static_cast<double>(health.cpu_ns) / static_cast<double>(health.wall_ns));
  if (const auto lag_ms = health.loop_lag.percentile_ms(0.99)) point.field("loop_lag_p99", *lag_ms / 1000);
  if (const auto delay_ms = health.recv_delay.percentile_ms(0.99)) point.field("recv_delay_p99", *delay_ms / 1000);
  point.finish(wall_ns(facts, interval.begin_ns));
  batch.end_record();
}

void PointRenderer::append_histograms(Batch& batch, const RunFacts& facts, const Interval& interval,
                                      std::size_t entry) {
  const std::int64_t start = wall_ns(facts, interval.begin_ns);
  for (std::size_t metric = 0; metric < metric_count; ++metric) {
    const exporters::Distribution& values = interval.entries[entry].latency[metric];
    const auto append = [&](std::size_t slot, std::int64_t value_us, std::uint64_t n) {
      InfluxPoint point(batch.bytes, "llm_hdr");
      tag_run(point, facts).tag("entry", scenario_.mix.at(entry).name).tag("metric", metric_labels[metric]);
      point.field("slot", slot).field("value_us", value_us).field("n", n);
      point.finish(start + static_cast<std::int64_t>(slot));
      batch.end_record();
    };
    values.histogram().for_each_slot(
        [&](std::size_t slot, std::int64_t, std::int64_t highest, std::uint64_t n) { append(slot, highest, n); });
    // Requests cut by a timeout rank above every value: they go into the slot after the last one.
    const exporters::HdrLayout& layout = values.histogram().layout();
    const std::size_t last = layout.slot_count() - 1;
    if (values.censored() > 0) append(last + 1, layout.highest_of(last) + 1, values.censored());
  }
}

void PointRenderer::append_interval(Batch& batch, const RunFacts& facts, const Interval& interval) {
  for (const RequestRow& row : interval.rows) {
    const MixEntry& entry = scenario_.mix.at(row.record.entry);
    append_request(batch, facts, {entry.name, entry.scenario, label(entry.route), entry.target.url, entry.model}, row);
  }
  append_load(batch, facts, interval);
  for (std::size_t entry = 0; entry < interval.entries.size(); ++entry) {
    append_entry(batch, facts, interval, entry);
    append_histograms(batch, facts, interval, entry);
  }
}

void PointRenderer::append_event(Batch& batch, const RunFacts& facts, std::int64_t at_ns, const std::string& kind,
                                 const std::string& text, const std::string& config) {
  InfluxPoint point(batch.bytes, "llm_event");
  tag_run(point, facts).tag("kind", kind).field("text", std::string_view(text));
  if (!config.empty()) point.field("config", std::string_view(config));
  point.finish(event_clock_.next(wall_ns(facts, at_ns)));
  batch.end_record();
}

void PointRenderer::append_account(Batch& batch, const RunFacts& facts, std::int64_t at_ns, const std::string& exporter,
                                   const exporters::SinkAccount& account) {
  InfluxPoint point(batch.bytes, "exporter");
  tag_run(point, facts).tag("exporter", exporter);
  point.field("offered", account.offered).field("stored", account.stored).field("rejected", account.rejected);
  point.field("spilled", account.spilled).field("dropped", account.dropped);
  point.finish(account_clock_.next(wall_ns(facts, at_ns)));
  batch.end_record();
}

}  // namespace loadgen
