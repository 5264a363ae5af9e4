// JSON to values. Files may come from anywhere: every member is looked at before it is believed.
#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "exporters/metrics/hdr_codec.hpp"
#include "loadgen/export/checked_json.hpp"
#include "loadgen/export/run_directory.hpp"
#include "loadgen/export/sha256.hpp"
#include "loadgen/export/shallow_json.hpp"
#include "loadgen/export/shard_file.hpp"
#include "loadgen/export/shard_members.hpp"
#include "loadgen/export/shard_observations.hpp"

namespace loadgen {
namespace {

using namespace checked_json;

constexpr std::uintmax_t max_file_bytes = 512 * 1024 * 1024;
constexpr std::size_t max_entries = 1000;

exporters::Distribution distribution_in(const Json& object, std::string_view name) {
  const Json& value = member(object, name);
  exporters::HdrHistogram histogram;
  const exporters::Moments moments{count_in(value, "n"), number_in(value, "mean"), number_in(value, "squares")};
  if (value.contains("hdr")) {
    auto decoded = exporters::decode_hdr_base64(text_in(value, "hdr"));
    if (!decoded) throw Wrong(fmt::format("the histogram of '{}' is damaged: {}", name, decoded.error().message()));
    histogram = std::move(*decoded);
    if (!(histogram.config() == exporters::HdrConfig{}))
      throw Wrong(fmt::format("the histogram of '{}' has another range or resolution", name));
  }
  if (histogram.count() != moments.count)
    throw Wrong(fmt::format("the histogram of '{}' does not hold 'n' values", name));
  if (value.contains("clamped")) histogram.note_clamped(count_in(value, "clamped"));
  const std::uint64_t censored = value.contains("censored") ? count_in(value, "censored") : 0;
  return {std::move(histogram), moments, censored, censored > 0 ? stamp_in(value, "censored_above_ns") : 0};
}

EntryTally entry_from(const Json& json) {
  EntryTally tally;
  for (const auto& counter : tally_counters) tally.*counter.value = count_in(json, counter.name);
  tally.in_flight = small_count_in(json, "in_flight");
  const Json& ended = list_in(json, "ended", phase_count);
  if (ended.size() != phase_count) throw Wrong("'ended' must hold three phases");
  for (std::size_t i = 0; i < phase_count; ++i) read_counts(ended[i], tally.ended[i], "ended");
  read_counts(member(json, "token_sources"), tally.token_sources, "token_sources");
  tally.finish_reasons = counts_by_text(json, "finish_reasons");
  tally.error_messages = counts_by_text(json, "error_messages");
  tally.input_tokens_in_window = number_in(json, "input_tokens_in_window");
  tally.overlap_ns = stamp_in(json, "overlap_ns");
  tally.first_send_ns = stamp_in(json, "first_send_ns");
  tally.last_token_ns = stamp_in(json, "last_token_ns");
  if (!json.contains("latency")) return tally;
  const Json& latency = member(json, "latency");
  for (std::size_t i = 0; i < metric_count; ++i)
    if (latency.contains(std::string(metric_labels[i]))) tally.latency[i] = distribution_in(latency, metric_labels[i]);
  return tally;
}

GeneratorHealth health_from(const Json& json) {
  GeneratorHealth health;
  health.loop_lag = distribution_in(json, "loop_lag");
  health.recv_delay = distribution_in(json, "recv_delay");
  health.write_delay = distribution_in(json, "write_delay");
  health.unstamped_reads = count_in(json, "unstamped_reads");
  health.cpu_ns = stamp_in(json, "cpu_ns");
  health.wall_ns = stamp_in(json, "wall_ns");
  health.in_flight = small_count_in(json, "in_flight");
  health.max_in_flight = small_count_in(json, "max_in_flight");
  health.sent = count_in(json, "sent");
  health.tokens = count_in(json, "tokens");
  return health;
}

RunFacts facts_from(const Json& json) {
  RunFacts facts;
  for (const auto& time : fact_times) facts.*time.value = stamp_in(json, time.name);
  facts.run_id = text_in(json, "run_id");
  facts.shard = small_count_in(json, "shard");
  facts.shards = small_count_in(json, "shards");
  if (facts.shards == 0 || facts.shard >= facts.shards) throw Wrong("'shard' must be below 'shards'");
  facts.shard_source = text_in(json, "shard_source");
  facts.shard_attempt = text_in(json, "shard_attempt");
  if (!member(json, "start_at_ns").is_null()) facts.start_at_ns = stamp_in(json, "start_at_ns");
  facts.server_version = text_in(json, "server_version");
  facts.window = {stamp_in(json, "window_begin_ns"), stamp_in(json, "window_end_ns")};
  facts.threads = small_count_in(json, "threads");
  facts.interrupted = flag_in(json, "interrupted");
  facts.warmup_steady = flag_in(json, "warmup_steady");
  facts.warmup_s = number_in(json, "warmup_s");
  facts.max_thread_cpu_share = number_in(json, "max_thread_cpu_share");
  facts.clock_steps = small_count_in(json, "clock_steps");
  facts.planned_in_window = count_in(json, "planned_in_window");
  return facts;
}

Phase phase_from(const Json& word) {
  for (const Phase phase : {Phase::warmup, Phase::measure, Phase::drain})
    if (word == std::string(label(phase))) return phase;
  throw Wrong("'series' names an unknown phase");
}

std::vector<SeriesPoint> series_from(const Json& json) {
  std::vector<SeriesPoint> series;
  for (const Json& row : list_in(json, "series", 10'000'000)) {
    if (!row.is_array() || row.size() != 8) throw Wrong("'series' must hold rows of eight values");
    SeriesPoint point;
    point.begin_ns = stamp_from(row[0], "series");
    if (!row[1].is_number()) throw Wrong("'series' must hold lengths in seconds");
    point.length_s = row[1].get<double>();
    point.phase = phase_from(row[2]);
    std::array<std::uint64_t, 5> counts{};
    read_counts(Json(std::vector<Json>(row.begin() + 3, row.end())), counts, "series");
    point.sent = counts[0];
    point.ok = counts[1];
    point.failed = counts[2];
    point.tokens = counts[3];
    point.in_flight = static_cast<std::uint32_t>(std::min<std::uint64_t>(counts[4], UINT32_MAX));
    series.push_back(point);
  }
  return series;
}

ShardResult shard_from(const Json& json) {
  if (text_in(json, "schema") != shard_schema)
    throw Wrong(fmt::format("its form is '{}', this program reads '{}'", text_in(json, "schema"), shard_schema));
  ShardResult shard;
  shard.version = text_in(json, "version");
  shard.plan_hash = text_in(json, "plan_hash");
  shard.is_complete = text_in(json, "status") == "complete";
  shard.host = text_in(json, "host");
  shard.nonce = text_in(json, "nonce");
  shard.clock = {flag_in(member(json, "clock"), "synchronised"), stamp_in(member(json, "clock"), "max_error_us")};
  shard.has_lost_records = flag_in(json, "lost_records");
  shard.validity = text_in(json, "validity");
  shard.reasons = texts_in(json, "reasons");
  shard.scenario_document = member(json, "scenario").dump();
  shard.gates = texts_in(json, "gates");
  shard.totals.facts = facts_from(member(json, "facts"));
  shard.totals.health = health_from(member(json, "health"));
  shard.totals.series = series_from(json);
  for (const Json& entry : list_in(json, "entries", max_entries)) shard.totals.entries.push_back(entry_from(entry));
  shard.observations = shard_observations_from(member(json, "observed"));
  return shard;
}

Stage stage_from(const Json& json) {
  Stage stage;
  stage.shape = json.contains("at") ? Stage::Shape::hold : Stage::Shape::ramp;
  stage.level = number_in(json, json.contains("at") ? "at" : "to");
  const double length_s = number_in(json, "for_s");
  if (!(stage.level >= 0 && length_s >= 0 && length_s < 1e7)) throw Wrong("'stages' are out of range");
  stage.length = nanoseconds(static_cast<std::int64_t>(length_s * 1e9));
  return stage;
}

Load load_from(const Json& scenario) {
  const Json& load = member(scenario, "load");
  std::vector<Stage> stages;
  if (load.contains("stages"))
    for (const Json& stage : list_in(load, "stages", 1000)) stages.push_back(stage_from(stage));
  if (text_in(load, "kind") == "closed") return ClosedLoop{small_count_in(load, "concurrency"), {}, std::move(stages)};
  OpenLoop open{number_in(load, "rate"), Arrivals::poisson, 1, std::move(stages)};
  for (const Arrivals arrivals : {Arrivals::constant, Arrivals::gamma})
    if (text_in(scenario, "arrivals") == label(arrivals)) open.arrivals = arrivals;
  return open;
}

MixEntry mix_entry_from(const Json& json) {
  MixEntry entry;
  entry.name = text_in(json, "name");
  entry.weight = number_in(json, "share");
  if (!(entry.weight > 0)) throw Wrong("'share' must be above 0");
  entry.target.url = text_in(json, "target");
  if (const auto route = route_from(text_in(json, "route"))) entry.route = *route;
  entry.delivery = text_in(json, "delivery") == "stream" ? Delivery::stream : Delivery::whole;
  entry.model = text_in(json, "model");
  entry.scenario = text_in(json, "scenario");
  entry.prompts.resize(std::min<std::uint64_t>(count_in(json, "prompts"), 100'000));
  return entry;
}

std::optional<nanoseconds> seconds_in(const Json& json, std::string_view name) {
  if (member(json, name).is_null()) return std::nullopt;
  const double seconds = number_in(json, name);
  if (!(seconds >= 0 && seconds < 1e7)) throw Wrong(fmt::format("'{}' is out of range", name));
  return nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
}

Scenario scenario_from(const Json& json, const ShardResult& shard) {
  Scenario scenario;
  scenario.name = text_in(json, "name");
  scenario.source = text_in(json, "source");
  scenario.seed = count_in(json, "seed");
  scenario.load = load_from(json);
  scenario.length.duration = seconds_in(json, "duration_s");
  if (!member(json, "requests").is_null()) scenario.length.requests = count_in(json, "requests");
  scenario.warmup = seconds_in(json, "warmup_s");
  for (const Json& entry : list_in(json, "mix", max_entries)) scenario.mix.push_back(mix_entry_from(entry));
  if (scenario.mix.empty() || scenario.mix.size() < shard.totals.entries.size())
    throw Wrong("'mix' and 'entries' do not fit together");
  for (const std::string& text : shard.gates) {
    auto gate = parse_gate(text);
    if (!gate) throw Wrong(fmt::format("the gate '{}': {}", text, gate.error()));
    scenario.gates.push_back(std::move(*gate));
  }
  return scenario;
}

}  // namespace

Result<ShardResult, std::string> parse_shard(std::string_view text) {
  const auto fail = [](std::string why) {
    return Result<ShardResult, std::string>(boost::system::in_place_error, std::move(why));
  };
  const std::size_t at = text.rfind(shard_checksum_key);
  if (at == std::string_view::npos) return fail("it does not end in its checksum: the file is not whole");
  const std::string_view sum = text.substr(at + shard_checksum_key.size());
  if (sum.substr(0, 64) != sha256_hex(text.substr(0, at))) return fail("its checksum is wrong: the file is damaged");
  if (!is_shallow_json(text)) return fail(fmt::format("it is nested deeper than {} levels", max_json_depth));
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return fail("it is not JSON");
  try {
    return shard_from(json);
  } catch (const Wrong& wrong) {
    return fail(wrong.what());
  }
}

Result<ShardResult, std::string> read_shard(const std::filesystem::path& run_directory) {
  std::error_code error;
  std::filesystem::path path = run_directory / run_file::shard;
  if (!std::filesystem::exists(path, error)) path = run_directory / run_file::shard_part;
  const auto fail = [&](const std::string& why) {
    return Result<ShardResult, std::string>(boost::system::in_place_error, fmt::format("{}: {}", path.string(), why));
  };
  const std::uintmax_t bytes = std::filesystem::file_size(path, error);
  if (error) return fail(error.message());
  if (bytes > max_file_bytes) return fail("is larger than 512 MiB");
  std::ifstream file(path, std::ios::binary);
  std::string text(bytes, '\0');
  if (!file.read(text.data(), static_cast<std::streamsize>(bytes))) return fail("cannot be read");
  auto shard = parse_shard(text);
  if (!shard) return fail(shard.error());
  shard->directory = run_directory.string();
  if (path.filename() == run_file::shard_part) shard->is_complete = false;
  return shard;
}

Result<Scenario, std::string> scenario_of_shard(const ShardResult& shard) {
  const Json json = Json::parse(shard.scenario_document, nullptr, false);
  try {
    return scenario_from(json, shard);
  } catch (const Wrong& wrong) {
    return {boost::system::in_place_error, fmt::format("{}: scenario: {}", shard.directory, wrong.what())};
  }
}

}  // namespace loadgen
