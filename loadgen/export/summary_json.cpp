#include "loadgen/export/summary_json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "loadgen/export/json_numbers.hpp"
#include "loadgen/export/observed_json.hpp"
#include "loadgen/export/scenario_json.hpp"
#include "loadgen/export/wall_time.hpp"

namespace loadgen {
namespace {

using Json = nlohmann::ordered_json;

Json metric_json(const MetricSummary& metric) {
  return {{"count", metric.count},
          {"mean", number(metric.mean)},
          {"std", number(metric.std)},
          {"min", number(metric.min)},
          {"p50", number(metric.p50)},
          {"p90", number(metric.p90)},
          {"p95", number(metric.p95)},
          {"p99", number(metric.p99)},
          {"p99_9", number(metric.p99_9)},
          {"max", number(metric.max)},
          {"p99_upper", number(metric.p99_upper)},
          {"censored", metric.censored}};
}

Json metrics_json(const Slice& slice) {
  Json metrics = Json::object();
  for (std::size_t i = 0; i < metric_count; ++i) metrics[std::string(metric_labels[i])] = metric_json(slice.metrics[i]);
  return metrics;
}

Json counts_json(const Counts& counts) {
  return {{"sent", counts.sent},
          {"warmup", counts.warmup},
          {"measured", counts.measured},
          {"drain", counts.drain},
          {"ok", counts.ok},
          {"failed", counts.failed},
          {"cancelled", counts.cancelled},
          {"outcomes", counts.outcomes},
          {"finish_reasons", counts.finish_reasons},
          {"errors", counts.errors},
          {"output_tokens", counts.output_tokens},
          {"input_tokens", counts.input_tokens},
          {"wasted_tokens", counts.wasted_tokens},
          {"requested_tokens", counts.requested_tokens},
          {"requested_input_tokens", counts.requested_input_tokens},
          {"told_input_tokens", counts.told_input_tokens},
          {"osl_mismatches", counts.osl_mismatches},
          {"index_breaks", counts.index_breaks}};
}

/// `concurrency_max` is known of the whole run only.
Json rates_json(const Rates& rates, bool of_whole_run) {
  return {{"error_rate", number(rates.error_rate)},
          {"osl_mismatch", number(rates.osl_mismatch)},
          {"request_throughput", number(rates.request_throughput)},
          {"output_token_throughput", number(rates.output_token_throughput)},
          {"input_token_throughput", number(rates.input_token_throughput)},
          {"total_token_throughput", number(rates.total_token_throughput)},
          {"offered_rate", number(rates.offered_rate)},
          {"achieved_rate", number(rates.achieved_rate)},
          {"planned_rate", number(rates.planned_rate)},
          {"concurrency_mean", number(rates.concurrency_mean)},
          {"concurrency_max", of_whole_run ? Json(rates.concurrency_max) : Json(nullptr)},
          {"vllm_output_token_throughput", number(rates.vllm_output_token_throughput)}};
}

Json phase_json(const RunFacts& facts, std::int64_t begin_ns, std::int64_t end_ns) {
  end_ns = std::max(begin_ns, end_ns);
  const auto since_start = [&](std::int64_t ns) { return static_cast<double>(ns - facts.mono_start_ns) * 1e-9; };
  return {{"begin", iso8601(wall_ns(facts, begin_ns) / 1'000'000)},
          {"end", iso8601(wall_ns(facts, end_ns) / 1'000'000)},
          {"begin_s", number(since_start(begin_ns))},
          {"end_s", number(since_start(end_ns))},
          {"begin_ns", begin_ns},
          {"end_ns", end_ns}};
}

Json phases_json(const RunFacts& facts) {
  return {{"warmup", phase_json(facts, facts.mono_start_ns, facts.window.begin_ns)},
          {"measure", phase_json(facts, facts.window.begin_ns, facts.window.end_ns)},
          {"drain", phase_json(facts, facts.window.end_ns, facts.mono_end_ns)}};
}

Json validity_json(const Validity& validity) {
  Json checks = Json::array();
  for (const HealthCheck& check : validity.checks) {
    checks.push_back({{"name", check.name},
                      {"status", label(check.status)},
                      {"measured", check.measured},
                      {"limits", check.limits},
                      {"value", number(check.value)}});
  }
  return {{"status", label(validity.status)}, {"reasons", validity.reasons}, {"checks", std::move(checks)}};
}

Json generator_json(const Summary& summary) {
  const GeneratorSummary& generator = summary.generator;
  return {{"recv_delay", metric_json(generator.recv_delay)},
          {"write_delay", metric_json(generator.write_delay)},
          {"loop_lag", metric_json(generator.loop_lag)},
          {"reads", generator.reads},
          {"kernel_stamped_share", number(generator.kernel_stamped_share)},
          {"clock_error_ns", summary.facts.clock_error_ns},
          {"clock_steps", summary.facts.clock_steps}};
}

Json gates_json(const std::vector<GateResult>& gates) {
  Json list = Json::array();
  for (const GateResult& gate : gates)
    list.push_back({{"gate", gate.text},
                    {"status", label(gate.status)},
                    {"value", number(gate.value)},
                    {"unit", gate.unit},
                    {"note", gate.note}});
  return list;
}

/// Null where the database could not be asked.
Json database_json(const DatabaseCount& count) {
  if (!count.not_counted.empty()) return nullptr;
  Json measurements = Json::object();
  for (const auto& [name, row] : count.measurements)
    measurements[name] = {{"offered", row.offered}, {"found", row.found}};
  return {{"found", count.found()}, {"uncounted", count.uncounted}, {"measurements", measurements}};
}

Json exporters_json(const std::map<std::string, ExportAccount>& exporters) {
  Json all = Json::object();
  for (const auto& [name, account] : exporters) {
    all[name] = {{"offered", account.offered},        {"stored", account.stored},   {"rejected", account.rejected},
                 {"spilled", account.spilled},        {"dropped", account.dropped}, {"spill_file", account.spill_file},
                 {"first_error", account.first_error}};
    if (!account.in_database) continue;
    all[name]["in_database"] = database_json(*account.in_database);
    if (!account.in_database->not_counted.empty()) all[name]["not_counted"] = account.in_database->not_counted;
  }
  return all;
}

Json targets_json(const Scenario& scenario) {
  std::set<std::string> seen;
  Json targets = Json::array();
  for (const MixEntry& entry : scenario.mix)
    if (seen.insert(entry.target.url).second) targets.push_back(entry.target.url);
  return targets;
}

/// From which stamp each latency counts.
Json anchors_json() {
  return {{"ttft", "send"},          {"ttft_sched", "intended"}, {"ttfo", "send"},           {"e2e", "send"},
          {"e2e_sched", "intended"}, {"lateness", "intended"},   {"e2e_last_token", "send"}, {"connect", "dispatch"},
          {"server_wait", "sent"}};
}

Json steadiness_json(const Summary& summary) {
  return {{"ttft_slope_ms_per_s", number(summary.ttft_slope_ms_per_s)},
          {"concurrency_slope_per_s", number(summary.concurrency_slope_per_s)},
          {"over_saturated", summary.over_saturated}};
}

Json truth_json(const TruthComparison& truth) {
  Json metrics = Json::object();
  for (const TruthMetric& metric : truth.metrics) {
    Json& json = metrics[metric.metric];
    json["count"] = metric.count;
    for (const TruthRow& row : metric.rows)
      json[row.statistic] = {{"measured", number(row.measured_ms)},
                             {"true", number(row.true_ms)},
                             {"error", number(row.measured_ms - row.true_ms)}};
    json["request_error"] = {{"p50", number(metric.error_p50_ms)},
                             {"p99", number(metric.error_p99_ms)},
                             {"max", number(metric.error_max_ms)}};
  }
  return {{"source", truth.source},
          {"matched", truth.matched},
          {"missing_in_truth", truth.missing_in_truth},
          {"missing_in_run", truth.missing_in_run},
          {"unreadable_lines", truth.unreadable},
          {"metrics", std::move(metrics)}};
}

/// Of one process: which one of how many; of a merged run: each of them.
Json shards_json(const Summary& summary) {
  const RunFacts& facts = summary.facts;
  Json json = {{"count", facts.shards},
               {"start_at", facts.start_at_ns ? Json(iso8601(*facts.start_at_ns / 1'000'000)) : Json(nullptr)},
               {"degraded", summary.degraded}};
  if (summary.shards.empty()) {
    json["index"] = facts.shard;
    json["source"] = facts.shard_source;
    json["start_error_ms"] = static_cast<double>(facts.start_error_ns) * 1e-6;
    return json;
  }
  json["merged"] = Json::array();
  for (const ShardNote& note : summary.shards)
    json["merged"].push_back({{"index", note.index},
                              {"status", note.status},
                              {"host", note.host},
                              {"measured", note.measured},
                              {"validity", note.status == "missing" ? Json(nullptr) : Json(label(note.validity))},
                              {"lateness_p99_ms", number(note.lateness_p99_ms)},
                              {"start_error_ms", number(note.start_error_ms)}});
  return json;
}

}  // namespace

const char* label(Verdict verdict) noexcept {
  constexpr const char* words[] = {"pass", "fail", "inconclusive", "none"};
  return words[static_cast<std::size_t>(verdict)];
}

const char* label(Health health) noexcept {
  constexpr const char* words[] = {"VALID", "SUSPECT", "INVALID"};
  return words[static_cast<std::size_t>(health)];
}

const char* label(GateResult::Status status) noexcept {
  constexpr const char* words[] = {"pass", "fail", "inconclusive"};
  return words[static_cast<std::size_t>(status)];
}

Json summary_document(const Scenario& scenario, const Summary& summary, const std::vector<std::string>& files) {
  Json mix = Json::object();
  for (const auto& [name, slice] : summary.mix)
    mix[name] = {{"counts", counts_json(slice.counts)},
                 {"rates", rates_json(slice.rates, false)},
                 {"metrics", metrics_json(slice)},
                 {"token_sources", slice.token_source_shares}};
  const RunFacts& facts = summary.facts;
  return {{"schema_version", summary.schema_version},
          {"run_id", facts.run_id},
          {"wall_start", iso8601(facts.wall_start_ms)},
          {"tool", {{"name", "plumbline loadgen"}, {"version", PLUMBLINE_VERSION}, {"threads", facts.threads}}},
          {"host",
           {{"cpu", summary.host.cpu},
            {"cores", summary.host.cores},
            {"kernel", summary.host.kernel},
            {"governor", summary.host.governor}}},
          {"targets", targets_json(scenario)},
          {"server_version", facts.server_version},
          {"scenario", scenario_document(scenario)},
          {"phases", phases_json(facts)},
          {"verdict", label(summary.verdict)},
          {"validity", validity_json(summary.validity)},
          {"generator", generator_json(summary)},
          {"counts", counts_json(summary.overall.counts)},
          {"rates", rates_json(summary.overall.rates, true)},
          {"metrics", metrics_json(summary.overall)},
          {"mix", std::move(mix)},
          {"gates", gates_json(summary.gates)},
          {"steadiness", steadiness_json(summary)},
          {"observed", observed_document(summary.observed)},
          {"exporters", exporters_json(summary.exporters)},
          {"token_sources", summary.overall.token_source_shares},
          {"anchors", anchors_json()},
          {"warnings", summary.warnings},
          {"interrupted", facts.interrupted},
          {"shards", shards_json(summary)},
          {"truth", summary.truth ? truth_json(*summary.truth) : Json(nullptr)},
          {"files", files},
          {"links", summary.links}};
}

std::string render_json(const Json& document) {
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string render_json_line(const Json& document) {
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace loadgen
