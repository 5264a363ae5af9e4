// The fields of a load, and the stages of one that changes.
#include "loadgen/plan/load_fields.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "loadgen/plan/level_profile.hpp"

namespace loadgen {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t max_stages = 1000;
constexpr nanoseconds longest_stage = 7 * 24h;
constexpr double max_concurrency = 100'000;
constexpr double max_rate = 1e6;

/// What a level is in this mode: how the field for a constant one is called, and how large it may be.
struct Kind {
  const char* field;
  double highest;
  bool is_whole;
};

std::optional<Stage> read_stage(const Document& document, const std::string& pointer, const Kind& kind,
                                ScenarioErrors& errors) {
  const ObjectReader reader(document, pointer, errors, {"at", "to", "for"});
  if (!reader.is_mapping()) return std::nullopt;
  if (reader.has("at") == reader.has("to")) {
    reader.fail(
        reader.has("at") ? "to" : "at",
        fmt::format("a stage has either 'at' (hold this {0}) or 'to' (change to this {0} in a line)", kind.field));
    return std::nullopt;
  }
  if (!reader.has("for")) reader.fail("for", "is missing: how long the stage takes, such as 30s");
  const char* const key = reader.has("at") ? "at" : "to";
  const auto level = reader.number(key, {0, kind.highest});
  const auto length = reader.duration("for", {1ms, longest_stage});
  if (!level || !length) return std::nullopt;
  if (kind.is_whole && *level != std::floor(*level)) {
    reader.fail(key, "must be a whole number of requests in flight");
    return std::nullopt;
  }
  return Stage{reader.has("at") ? Stage::Shape::hold : Stage::Shape::ramp, *level, *length};
}

std::vector<Stage> read_stages(const Document& document, const ObjectReader& load, const Kind& kind,
                               ScenarioErrors& errors) {
  if (load.has(kind.field)) load.fail(kind.field, "excludes 'stages', which say it for each of them");
  const Json* const list = load.find("stages");
  if (list == nullptr) return {};
  if (list->is_string()) {
    load.fail("stages",
              "is written as in 'at 10 for 30s, to 100 for 1m, at 100 for 2m' behind a flag, and in a file as "
              "a list of stages such as {to: 100, for: 30s}");
    return {};
  }
  if (!list->is_array() || list->empty() || list->size() > max_stages) {
    load.fail("stages", fmt::format("must be a list of 1 to {} stages such as {{to: 100, for: 30s}}", max_stages));
    return {};
  }
  std::vector<Stage> stages;
  for (std::size_t i = 0; i < list->size(); ++i)
    if (const auto stage = read_stage(document, step(load.pointer("stages"), i), kind, errors))
      stages.push_back(*stage);
  const bool all_good = stages.size() == list->size();
  if (all_good && LevelProfile(stages).highest() <= 0) load.fail("stages", "all are 0: nothing would ever be sent");
  if (all_good && LevelProfile(stages).length_ns() > longest_stage.count())
    load.fail("stages", "take more than 7 days together");
  return stages;
}

Load read_closed(const Document& document, const ObjectReader& load, ScenarioErrors& errors) {
  ClosedLoop closed;
  for (const char* key : {"rate", "arrivals", "shape", "cv"})
    if (load.has(key)) load.fail(key, "belongs to mode open; a closed loop has a concurrency");
  if (const auto text = load.text("think_time", {100, TextRange::Kind::line})) {
    const auto draw = parse_duration_draw(*text);
    if (draw) {
      closed.think_time = *draw;
    } else {
      load.fail("think_time", draw.error());
    }
  }
  if (load.has("stages")) {
    closed.stages = read_stages(document, load, {"concurrency", max_concurrency, true}, errors);
    if (!closed.stages.empty())
      closed.concurrency = static_cast<std::uint32_t>(LevelProfile(closed.stages).highest() + 0.5);
    return closed;
  }
  if (!load.has("concurrency")) load.fail("concurrency", "is missing: how many requests to keep in flight");
  const auto concurrency = load.integer("concurrency", {1, static_cast<std::int64_t>(max_concurrency)});
  closed.concurrency = static_cast<std::uint32_t>(concurrency.value_or(1));
  return closed;
}

double read_shape(const ObjectReader& load, Arrivals arrivals) {
  if (arrivals != Arrivals::gamma) {
    for (const char* key : {"shape", "cv"})
      if (load.has(key)) load.fail(key, "belongs to 'arrivals: gamma'");
    return 1;
  }
  if (load.has("shape") && load.has("cv")) load.fail("cv", "excludes 'shape', which is 1 / cv²; keep one of them");
  if (!load.has("shape") && !load.has("cv"))
    load.fail(
        "cv",
        "is missing: deviation of the gaps between gamma arrivals over their mean, such as 3 for bursts (or, in a "
        "file, 'shape', which is 1 / cv²)");
  const double cv = load.number("cv", {0.01, 100}).value_or(1);
  return load.number("shape", {1e-4, 1e4}).value_or(1 / (cv * cv));
}

Load read_open(const Document& document, const ObjectReader& load, ScenarioErrors& errors) {
  OpenLoop open;
  for (const char* key : {"concurrency", "think_time"})
    if (load.has(key)) load.fail(key, "belongs to mode closed; an open loop has a rate");
  constexpr std::array words = {Arrivals::poisson, Arrivals::constant, Arrivals::gamma};
  open.arrivals = words[load.word("arrivals", {"poisson", "constant", "gamma"}).value_or(0)];
  open.shape = read_shape(load, open.arrivals);
  if (load.has("stages")) {
    open.stages = read_stages(document, load, {"rate", max_rate, false}, errors);
    if (!open.stages.empty()) open.rate = LevelProfile(open.stages).highest();
    return open;
  }
  if (!load.has("rate")) load.fail("rate", "is missing: how many requests per second to send");
  open.rate = load.number("rate", {0.001, max_rate}).value_or(1.0);
  return open;
}

}  // namespace

std::optional<Load> read_load(const Document& document, const ObjectReader& scenario, ScenarioErrors& errors) {
  if (!scenario.has("load")) {
    scenario.fail("load", "is missing: {mode: closed, concurrency: 120} or {mode: open, rate: 200, arrivals: poisson}");
    return std::nullopt;
  }
  if (scenario.find("load") == nullptr) return std::nullopt;
  const ObjectReader load(document, scenario.pointer("load"), errors,
                          {"mode", "concurrency", "rate", "arrivals", "shape", "cv", "think_time", "stages"});
  if (!load.is_mapping()) return std::nullopt;
  if (!load.has("mode")) load.fail("mode", "is missing: closed (a number in flight) or open (a rate)");
  const auto mode = load.word("mode", {"closed", "open"});
  if (!mode) return std::nullopt;
  return *mode == 0 ? read_closed(document, load, errors) : read_open(document, load, errors);
}

std::optional<Json> stages_from_text(std::string_view text) {
  Json stages = Json::array();
  std::istringstream items{std::string(text)};
  for (std::string item; std::getline(items, item, ',');) {
    std::istringstream words(item);
    std::string shape, level, between, length, rest;
    words >> shape >> level >> between >> length;
    if ((shape != "at" && shape != "to") || between != "for" || length.empty() || words >> rest) return std::nullopt;
    stages.push_back({{shape, plain_value(level)}, {"for", length}});
  }
  if (stages.empty()) return std::nullopt;
  return stages;
}

}  // namespace loadgen
