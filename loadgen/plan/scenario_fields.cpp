// Top-level fields, and the checks that need several of them.
#include "loadgen/plan/scenario_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "loadgen/plan/entry_fields.hpp"
#include "loadgen/plan/gate_fields.hpp"
#include "loadgen/plan/level_profile.hpp"
#include "loadgen/plan/load_fields.hpp"
#include "loadgen/plan/network_fields.hpp"
#include "loadgen/plan/object_reader.hpp"
#include "loadgen/plan/observe_fields.hpp"

namespace loadgen {
namespace {

using namespace std::chrono_literals;
constexpr std::size_t max_entries = 1000;
constexpr nanoseconds longest_run = 7 * 24h;
constexpr nanoseconds longest_wait = 1h;  // what a latency histogram can hold

/// Stages say how long the load lasts: what follows the warm-up is measured unless the scenario says otherwise.
Length read_staged_length(const ObjectReader& reader, Scenario& scenario) {
  if (reader.has("requests")) reader.fail("requests", "goes without stages only, whose lengths say how long to load");
  if (!scenario.warmup) scenario.warmup = 0s;
  Length length;
  length.duration = reader.duration("duration", {1ms, longest_run});
  if (reader.has("duration") || stages_of(scenario.load).empty()) return length;  // bad ones are reported as such
  const nanoseconds all(LevelProfile(stages_of(scenario.load)).length_ns());
  if (all <= *scenario.warmup) reader.fail("warmup", "takes all of the stages; nothing would be measured");
  length.duration = all - *scenario.warmup;
  return length;
}

bool names_stages(const Document& document) {
  const auto load = document.root.find("load");
  return load != document.root.end() && load->is_object() && load->contains("stages");
}

Length read_length(const ObjectReader& scenario) {
  Length length;
  if (scenario.has("duration") && scenario.has("requests")) {
    scenario.fail("requests", "excludes 'duration'; keep one of them");
  } else if (!scenario.has("duration") && !scenario.has("requests")) {
    scenario.fail("duration", "is missing: 'duration: 15s' or 'requests: 5000' says how long to measure");
  }
  length.duration = scenario.duration("duration", {1ms, longest_run});
  if (const auto requests = scenario.integer("requests", {1, 1'000'000'000}))
    length.requests = static_cast<std::uint64_t>(*requests);
  return length;
}

Timeouts read_timeouts(const Document& document, const ObjectReader& scenario, ScenarioErrors& errors) {
  Timeouts timeouts;
  if (scenario.find("timeouts") == nullptr) return timeouts;
  const ObjectReader reader(document, scenario.pointer("timeouts"), errors,
                            {"connect", "first_token", "total", "idle"});
  const auto read = [&](const char* key, nanoseconds& value) {
    if (const auto given = reader.duration(key, {1ms, longest_wait})) value = *given;
  };
  read("connect", timeouts.connect);
  read("first_token", timeouts.first_token);
  read("total", timeouts.total);
  timeouts.idle = reader.duration("idle", {0s, longest_wait}).value_or(timeouts.idle);
  if (timeouts.first_token > timeouts.total) {
    // Only what was written can contradict: a short total alone shortens the default of the other.
    if (reader.has("first_token")) reader.fail("first_token", "must not be longer than 'total', within which it lies");
    timeouts.first_token = timeouts.total;
  }
  return timeouts;
}

std::vector<MixEntry> read_mix(const Document& document, const ObjectReader& scenario,
                               const std::filesystem::path& folder, ScenarioErrors& errors) {
  const EntryDefaults defaults = read_entry_defaults(document, scenario, folder, errors);
  if (!scenario.has("mix"))
    scenario.fail("mix", "is missing: a list of entries such as {name: qa, model: qwen2, scenario: qa}");
  const Json* const mix = scenario.find("mix");
  if (mix == nullptr) return {};
  if (!mix->is_array() || mix->empty() || mix->size() > max_entries) {
    scenario.fail("mix", fmt::format("must be a list of 1 to {} entries", max_entries));
    return {};
  }
  std::vector<MixEntry> entries;
  TokenizerShelf shelf(folder);
  if (!defaults.tokenizer.empty()) {
    if (const auto& loaded = shelf.vocabulary(defaults.tokenizer); !loaded)
      scenario.fail("tokenizer", fmt::format("the tokenizer '{}' {}", defaults.tokenizer, loaded.error()));
  }
  std::map<std::string, std::size_t> names;
  for (std::size_t i = 0; i < mix->size(); ++i) {
    const std::string pointer = step("/mix", i);
    entries.push_back(read_mix_entry(document, pointer, defaults, folder, shelf, errors));
    const auto [first, is_new] = names.emplace(entries.back().name, i);
    if (!is_new && !first->first.empty()) {
      errors.push_back(document.error_at(
          step(pointer, "name"), fmt::format("'{}' is the name of mix[{}] already", first->first, first->second)));
    }
  }
  return entries;
}

void read_scalars(const ObjectReader& reader, Scenario& scenario) {
  if (!reader.has("schema_version")) reader.fail("schema_version", "is missing: write 'schema_version: 1'");
  reader.integer("schema_version", {1, 1});
  if (!reader.has("name")) reader.fail("name", "is missing: reports and run folders carry it");
  scenario.name = reader.text("name", {64, TextRange::Kind::name}).value_or("");
  scenario.seed = static_cast<std::uint64_t>(reader.integer("seed", {0, 9'007'199'254'740'991}).value_or(1));
  scenario.warmup = reader.duration("warmup", {0s, longest_wait});
  scenario.drain_max = reader.duration("drain_max", {0s, longest_wait}).value_or(scenario.drain_max);
  scenario.threads = static_cast<std::uint32_t>(reader.integer("threads", {0, 256}).value_or(0));
  scenario.nonce = reader.boolean("nonce").value_or(true);
  scenario.index_header = reader.text("index_header", {64, TextRange::Kind::name}).value_or("");
  if (!scenario.index_header.empty() &&
      (!scenario.index_header.starts_with("x-") || scenario.index_header == "x-request-id"))
    reader.fail("index_header", "must begin with 'x-' and not be 'x-request-id', such as x-sim-key");
}

}  // namespace

Scenario read_scenario_fields(const Document& document, const std::filesystem::path& folder, ScenarioErrors& errors) {
  const ObjectReader reader(
      document, "", errors,
      {"schema_version", "name",     "target",     "host",      "tls",       "resolve", "source_addresses",
       "proxy",          "route",    "endpoint",   "model",     "tokenizer", "seed",    "load",
       "warmup",         "duration", "requests",   "drain_max", "timeouts",  "threads", "nonce",
       "index_header",   "headers",  "parameters", "mix",       "gates",     "observe"});
  Scenario scenario;
  scenario.source = document.source;
  read_scalars(reader, scenario);
  const std::optional<Load> load = read_load(document, reader, errors);
  if (load) scenario.load = *load;
  scenario.length = names_stages(document) ? read_staged_length(reader, scenario) : read_length(reader);
  scenario.timeouts = read_timeouts(document, reader, errors);
  scenario.mix = read_mix(document, reader, folder, errors);
  read_network(document, reader, folder, scenario, errors);
  scenario.observe = read_observe(document, reader, scenario, errors);
  scenario.gates = read_gates(reader, document, scenario, load ? LoadKnown::yes : LoadKnown::no, errors);
  return scenario;
}

}  // namespace loadgen
