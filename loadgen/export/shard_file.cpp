// Values to JSON. Counters are exact integers, histograms the interchange form, moments the shortest exact doubles.
#include "loadgen/export/shard_file.hpp"

#include <fmt/format.h>
#include <sys/timex.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <random>

#include "exporters/metrics/hdr_codec.hpp"
#include "loadgen/export/plan_hash.hpp"
#include "loadgen/export/scenario_json.hpp"
#include "loadgen/export/sha256.hpp"
#include "loadgen/export/shard_members.hpp"
#include "loadgen/export/shard_observations.hpp"
#include "loadgen/export/summary_json.hpp"

namespace loadgen {
namespace {

using Json = nlohmann::ordered_json;

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

ClockState clock_state() {
  timex state{};
  const int status = ::adjtimex(&state);
  return {status >= 0 && status != TIME_ERROR && (state.status & STA_UNSYNC) == 0, state.maxerror};
}

Json distribution_json(const exporters::Distribution& values) {
  Json json = {{"n", values.count()}, {"mean", values.moments().mean}, {"squares", values.moments().squares}};
  if (values.count() > 0) json["hdr"] = exporters::encode_hdr_base64(values.histogram());
  if (values.histogram().clamped() > 0) json["clamped"] = values.histogram().clamped();
  if (values.censored() > 0) {
    json["censored"] = values.censored();
    json["censored_above_ns"] = values.censored_above_ns();
  }
  return json;
}

Json entry_json(const EntryTally& tally) {
  Json json = Json::object();
  for (const auto& member : tally_counters) json[std::string(member.name)] = tally.*member.value;
  json["in_flight"] = tally.in_flight;
  json["ended"] = tally.ended;
  json["token_sources"] = tally.token_sources;
  json["finish_reasons"] = tally.finish_reasons;
  json["error_messages"] = tally.error_messages;
  json["input_tokens_in_window"] = tally.input_tokens_in_window;
  json["overlap_ns"] = tally.overlap_ns;
  json["first_send_ns"] = tally.first_send_ns;
  json["last_token_ns"] = tally.last_token_ns;
  for (std::size_t i = 0; i < metric_count; ++i) {
    const auto& values = tally.latency[i];
    if (values.count() + values.censored() > 0)
      json["latency"][std::string(metric_labels[i])] = distribution_json(values);
  }
  return json;
}

Json health_json(const GeneratorHealth& health) {
  return {{"loop_lag", distribution_json(health.loop_lag)},
          {"recv_delay", distribution_json(health.recv_delay)},
          {"write_delay", distribution_json(health.write_delay)},
          {"unstamped_reads", health.unstamped_reads},
          {"cpu_ns", health.cpu_ns},
          {"wall_ns", health.wall_ns},
          {"in_flight", health.in_flight},
          {"max_in_flight", health.max_in_flight},
          {"sent", health.sent},
          {"tokens", health.tokens}};
}

Json facts_json(const RunFacts& facts) {
  Json json = {{"run_id", facts.run_id},
               {"shard", facts.shard},
               {"shards", facts.shards},
               {"shard_source", facts.shard_source},
               {"shard_attempt", facts.shard_attempt},
               {"start_at_ns", facts.start_at_ns ? Json(*facts.start_at_ns) : Json(nullptr)},
               {"server_version", facts.server_version}};
  for (const auto& member : fact_times) json[std::string(member.name)] = facts.*member.value;
  json["window_begin_ns"] = facts.window.begin_ns;
  json["window_end_ns"] = facts.window.end_ns;
  json["threads"] = facts.threads;
  json["interrupted"] = facts.interrupted;
  json["warmup_steady"] = facts.warmup_steady;
  json["warmup_s"] = facts.warmup_s;
  json["max_thread_cpu_share"] = facts.max_thread_cpu_share;
  json["clock_steps"] = facts.clock_steps;
  json["planned_in_window"] = facts.planned_in_window;
  return json;
}

Json series_json(const std::vector<SeriesPoint>& series) {
  Json list = Json::array();
  for (const SeriesPoint& point : series)
    list.push_back({point.begin_ns, point.length_s, label(point.phase), point.sent, point.ok, point.failed,
                    point.tokens, point.in_flight});
  return list;
}

}  // namespace

ShardResult make_shard_result(const Scenario& scenario, const RunTotals& totals, const Observations& observations,
                              const Summary& summary) {
  ShardResult shard;
  shard.plan_hash = plan_hash(scenario, totals.facts.shards, totals.facts.start_at_ns);
  shard.version = PLUMBLINE_VERSION;
  shard.scenario_document = render_json_line(scenario_document(scenario));
  for (const Gate& gate : scenario.gates) shard.gates.push_back(gate.text);
  shard.host = host_name();
  shard.nonce = fmt::format("{:08x}{:08x}", std::random_device{}(), std::random_device{}());
  shard.is_complete = !totals.facts.interrupted;
  for (const auto& [name, account] : summary.exporters)
    shard.has_lost_records |= !account.is_view && account.stored != account.offered;
  shard.validity = label(summary.validity.status);
  shard.reasons = summary.validity.reasons;
  shard.clock = clock_state();
  shard.totals = totals;
  shard.observations = observations;
  return shard;
}

std::string shard_text(const ShardResult& shard) {
  Json entries = Json::array();
  for (const EntryTally& tally : shard.totals.entries) entries.push_back(entry_json(tally));
  const exporters::HdrConfig shape;
  Json document = {
      {"schema", shard_schema},
      {"version", shard.version},
      {"plan_hash", shard.plan_hash},
      {"histograms", {shape.lowest, shape.highest, shape.digits}},
      {"status", shard.is_complete ? "complete" : "truncated"},
      {"host", shard.host},
      {"nonce", shard.nonce},
      {"clock", {{"synchronised", shard.clock.is_synchronised}, {"max_error_us", shard.clock.max_error_us}}},
      {"lost_records", shard.has_lost_records},
      {"validity", shard.validity},
      {"reasons", shard.reasons},
      {"scenario", Json::parse(shard.scenario_document)},
      {"gates", shard.gates},
      {"facts", facts_json(shard.totals.facts)},
      {"health", health_json(shard.totals.health)},
      {"series", series_json(shard.totals.series)},
      {"entries", std::move(entries)},
      {"observed", shard_observations_json(shard.observations)}};
  std::string text = render_json_line(document);
  text.pop_back();  // the checksum covers everything before itself
  const std::string sum = sha256_hex(text);
  return text + std::string(shard_checksum_key) + sum + "\"}\n";
}

}  // namespace loadgen
