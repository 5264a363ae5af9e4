// JSON fields to settings, one object at a time; then what the theory named asks of them.
#include "refserver/simulate/scenario.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "refserver/checkpoint/config_fields.hpp"
#include "refserver/checkpoint/json_document.hpp"
#include "refserver/checkpoint/mapped_file.hpp"
#include "refserver/simulate/theory.hpp"

namespace refserver {
namespace {

constexpr std::size_t kMostBytes = 64 * 1024;
constexpr std::uint64_t kMostTokens = 50'000'000;
constexpr std::uint32_t kKvTokens = 262'144;

template <class T>
struct Word {
  std::string_view word;
  T value;
};

constexpr std::array<Word<Theory>, 6> kTheories = {{{"none", Theory::none},
                                                    {"D/D/1", Theory::dd1},
                                                    {"M/D/1", Theory::md1},
                                                    {"M/M/1", Theory::mm1},
                                                    {"script", Theory::script},
                                                    {"stall", Theory::stall}}};
constexpr std::array<Word<ArrivalProcess>, 4> kProcesses = {{{"constant", ArrivalProcess::constant},
                                                             {"poisson", ArrivalProcess::poisson},
                                                             {"gamma", ArrivalProcess::gamma},
                                                             {"closed", ArrivalProcess::closed}}};
constexpr std::array<Word<BatchKind>, 3> kBatchKinds = {
    {{"continuous", BatchKind::continuous}, {"static", BatchKind::fixed}, {"serial", BatchKind::serial}}};
constexpr std::array<Word<EngineKind>, 2> kEngines = {{{"scripted", EngineKind::scripted}, {"cost", EngineKind::cost}}};

template <class T, std::size_t N>
void read_word(const ConfigFields& fields, std::string_view key, const std::array<Word<T>, N>& words, T& value) {
  const auto text = fields.text(key);
  if (!text) return;
  std::string known;
  for (const Word<T>& word : words) {
    if (word.word == *text) {
      value = word.value;
      return;
    }
    known += (known.empty() ? "" : ", ") + std::string(word.word);
  }
  fields.fail(key, CheckpointErrc::bad_field, "is none of " + known);
}

void read_distribution(const ConfigFields& fields, std::string_view key, Distribution& value) {
  const auto text = fields.text(key);
  if (!text) return;
  auto parsed = parse_distribution(*text);
  if (parsed.has_error()) return fields.fail(key, CheckpointErrc::bad_field, parsed.error());
  value = std::move(*parsed);
}

void refuse_unknown(const ConfigFields& fields, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : fields.json().items()) {
    if (std::ranges::find(known, key) != known.end()) continue;
    std::string names;
    for (const std::string_view name : known) names += (names.empty() ? "" : ", ") + std::string(name);
    return fields.fail(printable(key), CheckpointErrc::bad_field, "is unknown here; there are " + names);
  }
}

void read_arrivals(const ConfigFields& fields, ArrivalSettings& arrivals) {
  refuse_unknown(fields, {"process", "rate_per_s", "shape", "clients", "think", "seed"});
  read_word(fields, "process", kProcesses, arrivals.process);
  arrivals.rate_per_s = fields.number("rate_per_s", 1e-3, 1e9).value_or(arrivals.rate_per_s);
  arrivals.gamma_shape = fields.number("shape", 0.05, 1000).value_or(arrivals.gamma_shape);
  arrivals.clients = static_cast<std::uint32_t>(fields.integer("clients", 1, 1'000'000).value_or(arrivals.clients));
  read_distribution(fields, "think", arrivals.think);
  arrivals.seed = fields.integer("seed", 0, ~std::uint64_t{0}).value_or(arrivals.seed);
}

void read_cost(const ConfigFields& fields, StepCost& cost) {
  if (const auto name = fields.text("preset")) {
    const auto preset = load_cost_preset(*name);
    if (preset.has_error()) return fields.fail("preset", CheckpointErrc::bad_field, preset.error().message());
    cost = preset->cost;
  }
  const auto read = [&fields](std::string_view key, double unit_ns, double& value) {
    if (const auto number = fields.number(key, 0, 60e6)) value = *number * unit_ns;
  };
  read("base_us", 1000, cost.base);
  read("weights_us", 1000, cost.weights);
  read("prefill_token_us", 1000, cost.prefill_token);
  read("decode_token_us", 1000, cost.decode_token);
  read("context_token_ns", 1, cost.context_token);
}

void read_engine(const ConfigFields& fields, EngineSettings& engine) {
  read_word(fields, "kind", kEngines, engine.kind);
  engine.seed = fields.integer("seed", 0, ~std::uint64_t{0}).value_or(engine.seed);
  if (engine.kind == EngineKind::scripted) {
    refuse_unknown(fields, {"kind", "seed", "ttft", "gap"});
    read_distribution(fields, "ttft", engine.ttft);
    read_distribution(fields, "gap", engine.gap);
    return;
  }
  refuse_unknown(fields, {"kind", "seed", "preset", "base_us", "weights_us", "prefill_token_us", "decode_token_us",
                          "context_token_ns", "noise", "drafts", "draft_acceptance"});
  read_cost(fields, engine.cost);
  read_distribution(fields, "noise", engine.noise);
  engine.drafts = static_cast<std::uint32_t>(fields.integer("drafts", 0, 64).value_or(0));
  engine.draft_acceptance = fields.number("draft_acceptance", 0, 1).value_or(engine.draft_acceptance);
}

void read_stalls(const ConfigFields& fields, std::vector<Stall>& stalls) {
  const nlohmann::json* const list = fields.find("stalls");
  if (list == nullptr) return;
  if (!list->is_array()) return fields.fail("stalls", CheckpointErrc::bad_field, "is not a list such as [\"3s+2s\"]");
  for (const nlohmann::json& entry : *list) {
    const auto stall = parse_stall(entry.is_string() ? entry.get<std::string>() : shown(entry));
    if (stall.has_error()) return fields.fail("stalls", CheckpointErrc::bad_field, stall.error());
    stalls.push_back(*stall);
  }
}

void read_requests(const ConfigFields& fields, SimulationScenario& scenario) {
  SimulationSettings& settings = scenario.settings;
  settings.requests = fields.needed("requests", 1, 20'000'000);
  scenario.warmup = fields.integer("warmup", 0, 20'000'000).value_or(0);
  settings.size.prompt = static_cast<std::uint32_t>(fields.integer("prompt", 1, kKvTokens / 2).value_or(1));
  settings.size.answer = static_cast<std::uint32_t>(fields.integer("answer", 1, kKvTokens / 2).value_or(1));
  if (fields.failed()) return;
  if (settings.requests * settings.size.answer > kMostTokens) {
    fields.fail("requests", CheckpointErrc::bad_field,
                fmt::format("times answer is more than {} tokens; every one is remembered", kMostTokens));
  }
  if (settings.requests < scenario.warmup + 100) {
    fields.fail("warmup", CheckpointErrc::bad_field, "leaves fewer than 100 requests to count");
  }
}

}  // namespace

SchedulerConfig simulated_scheduler(std::uint32_t kv_tokens) {
  SchedulerConfig config;
  config.pool = {"simulated", 1 + (kv_tokens - 1) / 16 + 1, 16};
  config.has_prefix_cache = false;
  return config;
}

CheckpointResult<SimulationScenario> parse_scenario(std::string_view json, const std::string& name) {
  const auto document = parse_json(json, name);
  if (document.has_error()) return document.error();
  ConfigFailure failure;
  const ConfigFields fields(*document, name, "", failure);
  SimulationScenario scenario;
  scenario.name = name;
  scenario.settings.scheduler = simulated_scheduler(kKvTokens);
  refuse_unknown(fields, {"what", "theory", "requests", "warmup", "prompt", "answer", "batch", "max_batch_size",
                          "arrivals", "engine", "stalls"});
  scenario.what = fields.text("what").value_or("");
  read_word(fields, "theory", kTheories, scenario.theory);
  read_requests(fields, scenario);
  SchedulerConfig& scheduler = scenario.settings.scheduler;
  read_word(fields, "batch", kBatchKinds, scheduler.batch);
  scheduler.max_batch_size =
      static_cast<std::uint32_t>(fields.integer("max_batch_size", 1, 100'000).value_or(scheduler.max_batch_size));
  if (const auto arrivals = fields.object("arrivals")) read_arrivals(*arrivals, scenario.settings.arrivals);
  if (const auto engine = fields.object("engine")) read_engine(*engine, scenario.settings.engine);
  scheduler.max_drafts = scenario.settings.engine.drafts;
  read_stalls(fields, scenario.settings.stalls);
  if (!failure.error) {
    if (auto problem = find_problem(scenario)) fields.fail("theory", CheckpointErrc::bad_field, std::move(*problem));
  }
  if (failure.error) return *failure.error;
  return scenario;
}

CheckpointResult<SimulationScenario> load_scenario(const std::string& name_or_file) {
  for (const SimulationFile& known : embedded_simulation_scenarios()) {
    if (name_or_file == known.name) return parse_scenario(known.text, name_or_file);
  }
  const auto text = read_small_file(name_or_file, kMostBytes);
  if (text.has_error()) {
    CheckpointError error = text.error();
    error.text += " (and it is not a scenario; refserver simulate --list names those)";
    return error;
  }
  return parse_scenario(*text, name_or_file);
}

std::vector<std::string> known_scenarios() {
  std::vector<std::string> names;
  for (const SimulationFile& known : embedded_simulation_scenarios()) names.emplace_back(known.name);
  return names;
}

std::string_view theory_name(Theory theory) {
  for (const Word<Theory>& word : kTheories) {
    if (word.value == theory && theory != Theory::none) return word.word;
  }
  return {};
}

}  // namespace refserver
