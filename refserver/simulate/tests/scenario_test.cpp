// Scenario files and traces: what is read, and what is refused in which words.
#include "refserver/simulate/scenario.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "refserver/simulate/trace.hpp"

namespace refserver {
namespace {

using nlohmann::json;

json good() {
  return json::parse(R"({"what":"w","theory":"M/D/1","requests":10000,"warmup":10,"batch":"serial",
    "arrivals":{"process":"poisson","rate_per_s":500,"seed":3},"engine":{"kind":"cost","base_us":1000}})");
}

std::string error_of(const json& document) {
  const auto scenario = parse_scenario(document.dump(), "f.json");
  return scenario.has_error() ? scenario.error().message() : "";
}

TEST(SimulationScenario, ReadsEveryField) {
  json document = good();
  document["theory"] = "none";
  document["prompt"] = 5;
  document["answer"] = 7;
  document["batch"] = "static";
  document["max_batch_size"] = 9;
  document["stalls"] = {"3s+2s"};
  document["arrivals"] = {{"process", "closed"}, {"clients", 4}, {"think", "exp(1s)"}, {"seed", 6}};
  document["engine"] = {{"kind", "cost"}, {"preset", "qwen2-7b-h200"}, {"base_us", 5},
                        {"drafts", 3},    {"draft_acceptance", 0.5},   {"noise", "1ms"},
                        {"seed", 8}};
  const auto scenario = parse_scenario(document.dump(), "f.json");
  ASSERT_TRUE(scenario.has_value()) << scenario.error().message();
  const SimulationSettings& s = scenario->settings;
  EXPECT_EQ(s.size.prompt, 5U);
  EXPECT_EQ(s.size.answer, 7U);
  EXPECT_EQ(s.scheduler.batch, BatchKind::fixed);
  EXPECT_EQ(s.scheduler.max_batch_size, 9U);
  EXPECT_EQ(s.scheduler.max_drafts, 3U);
  EXPECT_EQ(s.stalls.at(0).length, std::chrono::seconds(2));
  EXPECT_EQ(s.arrivals.clients, 4U);
  EXPECT_DOUBLE_EQ(s.arrivals.think.mean_ns(), 1e9);
  EXPECT_DOUBLE_EQ(s.engine.cost.base, 5000);
  EXPECT_GT(s.engine.cost.weights, 0);
  EXPECT_DOUBLE_EQ(s.engine.draft_acceptance, 0.5);
  EXPECT_DOUBLE_EQ(s.engine.noise.mean_ns(), 1e6);
}

struct Change {
  const char* pointer;
  json value;
  const char* says;
};

TEST(SimulationScenario, RefusesWhatItCannotMean) {
  const Change table[] = {
      {"/requests", 0, "requests: 0 is not a whole number from 1"},
      {"/arrivals/rate_per_s", 900, "at a utilisation of 0.9 a run must count at least 153"},
      {"/requests", 99, "leaves fewer than 100 requests"},
      {"/requests", "many", "requests"},
      {"/answer", 60'000, "times answer is more than 50000000 tokens"},
      {"/theory", "M/G/1", "theory: is none of none, D/D/1"},
      {"/theory", "M/M/1", "theory: M/M/1 is about one step per request of exponential length"},
      {"/theory", "D/D/1", "D/D/1 is about other arrivals"},
      {"/theory", "script", "script is about a scripted engine"},
      {"/theory", "stall", "stall is about one stall"},
      {"/batch", "continuous", "M/D/1 is about one request at a time"},
      {"/arrivals/rate_per_s", 1000, "at a utilisation of 1"},
      {"/arrivals/rate_per_s", -1, "arrivals.rate_per_s"},
      {"/arrivals/process", "constant", "M/D/1 is about other arrivals"},
      {"/arrivals/rate", 5, "arrivals.rate: is unknown here; there are process"},
      {"/engine/noise", "exp(1ms)", "noise must be constant"},
      {"/engine/noise", "exp(1)", "engine.noise: '1' in exp is not a duration"},
      {"/engine/ttft", "1ms", "engine.ttft: is unknown here"},
      {"/engine/preset", "abacus", "engine.preset: abacus"},
      {"/engine/kind", "gpu", "engine.kind: is none of scripted, cost"},
      {"/stalls", "3s+2s", "stalls: is not a list"},
      {"/stalls", {3}, "stalls: '3' is not a stall"},
      {"/speed", 5, "speed: is unknown here"},
  };
  EXPECT_EQ(error_of(good()), "");
  for (const Change& change : table) {
    json document = good();
    document[json::json_pointer(change.pointer)] = change.value;
    EXPECT_NE(error_of(document).find(change.says), std::string::npos)
        << change.pointer << " -> " << error_of(document);
  }
  EXPECT_TRUE(parse_scenario("[]", "f.json").has_error());
  EXPECT_TRUE(parse_scenario("{", "f.json").has_error());
  EXPECT_NE(load_scenario("nothing-like-it").error().message().find("--list"), std::string::npos);
}

TEST(RequestTrace, ReadsLines) {
  const auto trace = parse_trace(
      "{\"at_ms\":0.5,\"prompt\":3,\"answer\":2}\n\n{\"at_ms\":2,\"prompt\":4,\"answer\":2,\"allowed\":9}", "t.jsonl");
  ASSERT_TRUE(trace.has_value()) << trace.error().message();
  ASSERT_EQ(trace->sizes.size(), 2U);
  EXPECT_EQ(trace->times[0], std::chrono::microseconds(500));
  EXPECT_EQ(trace->sizes[0].allowed, 2U);
  EXPECT_EQ(trace->sizes[1].allowed, 9U);
  EXPECT_EQ(longest_of(*trace), 13U);
}

TEST(RequestTrace, NamesTheBadLine) {
  const std::string first = "{\"at_ms\":5,\"prompt\":3,\"answer\":2}\n";
  const std::pair<const char*, const char*> table[] = {
      {"{\"prompt\":3,\"answer\":2}", "t.jsonl:2: at_ms: is missing"},
      {"{\"at_ms\":4,\"prompt\":3,\"answer\":2}", "t.jsonl:2: at_ms: is earlier"},
      {"{\"at_ms\":6,\"prompt\":0,\"answer\":2}", "t.jsonl:2: prompt"},
      {"{\"at_ms\":6,\"prompt\":3}", "t.jsonl:2: answer"},
      {"{\"at_ms\":6,\"prompt\":3,\"answer\":5,\"allowed\":4}", "t.jsonl:2: allowed: is less than answer"},
      {"nonsense", "t.jsonl:2"},
  };
  for (const auto& [line, says] : table) {
    const auto trace = parse_trace(first + line, "t.jsonl");
    ASSERT_TRUE(trace.has_error()) << line;
    EXPECT_EQ(trace.error().message().find(says), 0U) << trace.error().message();
  }
  EXPECT_TRUE(parse_trace("\n \n", "t.jsonl").has_error());
}

}  // namespace
}  // namespace refserver
