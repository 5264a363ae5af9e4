#include "loadgen/export/summary_json.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "loadgen/export/tests/simulated_run.hpp"
#include "loadgen/export/wall_time.hpp"

namespace loadgen {
namespace {

using Json = nlohmann::ordered_json;

Json document_of(const sample::SimulatedRun& run) {
  return summary_document(run.scenario, summarize(run.scenario, run.totals(), {"cpu", "Linux 6.1", "performance", 2}),
                          {"summary.json"});
}

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

TEST(SummaryJson, HasItsMembersInTheirOrder) {
  const Json document = document_of(sample::simulate({.measure_s = 3}));
  EXPECT_EQ(keys_of(document),
            (std::vector<std::string>{
                "schema_version", "run_id",   "wall_start",  "tool",       "host",      "targets",   "server_version",
                "scenario",       "phases",   "verdict",     "validity",   "generator", "counts",    "rates",
                "metrics",        "mix",      "gates",       "steadiness", "observed",  "exporters", "token_sources",
                "anchors",        "warnings", "interrupted", "shards",     "truth",     "files",     "links"}));
  EXPECT_EQ(keys_of(document["generator"]),
            (std::vector<std::string>{"recv_delay", "write_delay", "loop_lag", "reads", "kernel_stamped_share",
                                      "clock_error_ns", "clock_steps"}));
  EXPECT_EQ(keys_of(document["metrics"]), std::vector<std::string>(metric_labels.begin(), metric_labels.end()));
  EXPECT_EQ(keys_of(document["metrics"]["ttft"]),
            (std::vector<std::string>{"count", "mean", "std", "min", "p50", "p90", "p95", "p99", "p99_9", "max",
                                      "p99_upper", "censored"}));
  EXPECT_EQ(keys_of(document["mix"]), (std::vector<std::string>{"qwen2-qa", "qwen2-summarize", "qwen2-rewrite",
                                                                "llama3-qa", "llama3-summarize", "llama3-rewrite"}));
}

TEST(SummaryJson, StatesWhatWasMeasured) {
  const Json document = document_of(sample::simulate({.measure_s = 3, .failure_share = 0}));
  EXPECT_EQ(document["schema_version"], 1);
  EXPECT_EQ(document["wall_start"], "2026-11-21T03:15:00.000Z");
  EXPECT_EQ(document["phases"]["measure"]["begin"], "2026-11-21T03:15:02.000Z");
  EXPECT_EQ(document["phases"]["measure"]["end_s"], 5.0);
  EXPECT_EQ(document["phases"]["measure"]["begin_ns"], 1'000'000'000'000);
  EXPECT_EQ(document["counts"]["ok"], 270);
  EXPECT_EQ(document["rates"]["request_throughput"], 90.0);
  EXPECT_EQ(document["scenario"]["load"]["concurrency"], 120);
  EXPECT_EQ(document["scenario"]["arrivals"], nullptr);
  EXPECT_EQ(document["targets"], Json({"http://127.0.0.1:8080"}));
  EXPECT_EQ(document["token_sources"]["server_usage"], 1.0);
  EXPECT_EQ(document["verdict"], "none");
  EXPECT_EQ(document["validity"]["status"], "VALID");
}

TEST(SummaryJson, AMetricWithoutValuesStaysWithNulls) {
  const Json metric = document_of(sample::simulate({.measure_s = 3}))["metrics"]["e2e_sched"];
  EXPECT_EQ(metric["count"], 0);
  EXPECT_EQ(metric["censored"], 0);
  for (const auto& [key, value] : metric.items())
    EXPECT_EQ(value.is_null(), key != "count" && key != "censored") << key;
}

TEST(SummaryJson, PercentilesBelowTheirFloorsAreNull) {
  const Json metric = document_of(sample::simulate({.measure_s = 3, .failure_share = 0}))["metrics"]["ttft"];  // 270
  EXPECT_TRUE(metric["p95"].is_number());
  EXPECT_TRUE(metric["p99"].is_null());
  EXPECT_TRUE(metric["p99_9"].is_null());
  EXPECT_TRUE(metric["p99_upper"].is_null());
}

TEST(SummaryJson, HeaderValuesNeverLeaveTheProgram) {
  auto run = sample::simulate({.measure_s = 3});
  run.scenario.mix[0].headers = {{"Authorization", "Bearer secret-token"}};
  const std::string text = render_json(document_of(run));
  EXPECT_NE(text.find("Authorization"), std::string::npos);
  EXPECT_EQ(text.find("secret-token"), std::string::npos);
}

TEST(SummaryJson, SurvivesBytesThatAreNotUtf8) {
  auto run = sample::simulate({.measure_s = 3});
  run.scenario.name = "caf\xe9";
  run.intervals[2].entries[0].error_messages["\xff\xfe"] = 1;
  const std::string text = render_json(document_of(run));
  EXPECT_EQ(Json::parse(text)["scenario"]["name"], "caf\xEF\xBF\xBD");
  EXPECT_EQ(text.back(), '\n');
  EXPECT_EQ(text.substr(0, 24), "{\n  \"schema_version\": 1,");
}

TEST(SummaryJson, NumbersAreShortest) {
  EXPECT_EQ(render_json_line(Json{{"a", 0.1}, {"b", 1.0}}), R"({"a":0.1,"b":1.0})");
}

TEST(SummaryJson, GatesAndExportersAreSpelledOut) {
  const auto run = sample::simulate({.measure_s = 3});
  Summary summary = summarize(run.scenario, run.totals(), {});
  summary.gates = {{GateResult::Status::fail, "p99(e2e) < 1s", 1200.5, "", "ms"},
                   {GateResult::Status::inconclusive, "qps > 1", std::nullopt, "why"}};
  summary.exporters["influx"] = {10, 7, 1, 1, 1, "influx-spill.lp", "HTTP 400"};
  const Json document = summary_document(run.scenario, summary, {});
  EXPECT_EQ(document["gates"][0],
            Json({{"gate", "p99(e2e) < 1s"}, {"status", "fail"}, {"value", 1200.5}, {"unit", "ms"}, {"note", ""}}));
  EXPECT_EQ(document["gates"][1]["value"], nullptr);
  EXPECT_EQ(document["exporters"]["influx"]["rejected"], 1);
  EXPECT_EQ(document["exporters"]["influx"]["spill_file"], "influx-spill.lp");
}

TEST(WallTime, WritesIso8601) {
  EXPECT_EQ(iso8601(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(iso8601(951'827'696'789), "2000-02-29T12:34:56.789Z");
  RunFacts facts;
  facts.wall_start_ms = 1000;
  facts.mono_start_ns = 500;
  EXPECT_EQ(wall_ns(facts, 507), 1'000'000'007);
}

}  // namespace
}  // namespace loadgen
