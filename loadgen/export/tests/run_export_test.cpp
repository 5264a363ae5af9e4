#include "loadgen/export/run_export.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "exporters/metrics/hdr_codec.hpp"
#include "loadgen/export/tests/simulated_run.hpp"

namespace loadgen {
namespace {

using testing::Contains;
using testing::HasSubstr;

/// A scratch directory that goes away with the test.
struct RunExportTest : testing::Test {
  std::filesystem::path scratch;

  RunExportTest() {
    std::string pattern = testing::TempDir() + "run_export_XXXXXX";
    scratch = mkdtemp(pattern.data());
  }
  ~RunExportTest() override { std::filesystem::remove_all(scratch); }

  ExportOptions options(RecordLevel record = RecordLevel::all) const {
    ExportOptions made;
    made.out_dir = scratch / "out";
    made.record = record;
    return made;
  }

  std::string read(const std::string& name) const {
    std::ifstream file(scratch / "out" / name, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  std::vector<std::string> lines(const std::string& name) const {
    std::vector<std::string> found;
    std::stringstream text(read(name));
    for (std::string line; std::getline(text, line);) found.push_back(line);
    return found;
  }

  /// Sends a whole simulated run through the exports; returns the summary as it was after finish().
  Summary export_run(const sample::SimulatedRun& run, RecordLevel record = RecordLevel::all) const {
    auto made = make_run_export(options(record), run.scenario);
    if (!made) throw std::runtime_error(made.error());
    (*made)->on_event(run.facts, run.facts.mono_start_ns, "start", "");
    for (const Interval& interval : run.intervals) (*made)->on_interval(run.scenario, run.facts, interval);
    const RunTotals totals = run.totals();
    Summary summary = summarize(run.scenario, totals, {});
    const auto finished = (*made)->finish(run.scenario, totals, {}, summary);
    EXPECT_TRUE(finished.has_value()) << finished.error();
    return summary;
  }
};

/// Adds up the histograms of a log by tag.
std::map<std::string, exporters::HdrHistogram> sum_by_tag(const std::vector<std::string>& lines) {
  std::map<std::string, exporters::HdrHistogram> sums;
  for (const std::string& line : lines) {
    if (line.empty() || line[0] == '#' || line[0] == '"') continue;
    const bool tagged = line.rfind("Tag=", 0) == 0;
    const std::string tag = tagged ? line.substr(4, line.find(',') - 4) : "";
    const auto decoded = exporters::decode_hdr_base64(line.substr(line.rfind(',') + 1));
    EXPECT_TRUE(decoded.has_value()) << line;
    if (decoded) sums[tag].add(*decoded);
  }
  return sums;
}

double p_ms(const exporters::HdrHistogram& histogram, double q) {
  return static_cast<double>(histogram.value_at_quantile(q)) / 1000;
}

TEST_F(RunExportTest, EveryFileTellsTheSameStory) {
  const auto run = sample::simulate({.measure_s = 5, .requests_per_s = 1200, .failure_share = 0});
  export_run(run);
  const auto summary = nlohmann::json::parse(read("summary.json"));
  EXPECT_EQ(summary["counts"]["measured"], 6000);

  const auto overall = sum_by_tag(lines("run.hlog"));
  for (const auto& [name, metric] : summary["metrics"].items()) {
    if (metric["count"] == 0) {
      EXPECT_FALSE(overall.count(name)) << name;
      continue;
    }
    const auto& histogram = overall.at(name);
    EXPECT_EQ(histogram.count(), metric["count"]) << name;
    for (const auto& [key, q] : std::map<std::string, double>{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"max", 1}})
      EXPECT_EQ(p_ms(histogram, q), metric[key]) << name << " " << key;
  }
  EXPECT_EQ(overall.at("").count(), overall.at("e2e").count()) << "e2e once more, without a tag";

  const auto by_entry = sum_by_tag(lines("mix.hlog"));
  for (const auto& [entry, slice] : summary["mix"].items()) {
    const auto& histogram = by_entry.at(entry + ":ttft");
    EXPECT_EQ(histogram.count(), slice["metrics"]["ttft"]["count"]);
    EXPECT_EQ(p_ms(histogram, 0.9), slice["metrics"]["ttft"]["p90"]);
  }

  const auto requests = lines("requests.jsonl");
  EXPECT_EQ(requests.size(), summary["counts"]["sent"]);
  const auto first = nlohmann::json::parse(requests.front());
  EXPECT_EQ(first["phase"], "warmup");
  EXPECT_EQ(lines("points.lp").size(), summary["exporters"]["points_lp"]["offered"]);
}

TEST_F(RunExportTest, TheLastAccountIsThatBeforeItself) {
  export_run(sample::simulate({.measure_s = 12}));
  const auto points = lines("points.lp");
  const auto total = points.size();
  EXPECT_THAT(points.at(total - 3), HasSubstr("llm_event,kind=validity,"));
  EXPECT_THAT(points.at(total - 3), HasSubstr("text=\"VALID"));
  EXPECT_THAT(points.at(total - 2), HasSubstr("llm_event,kind=verdict,"));
  EXPECT_THAT(points.back(), HasSubstr("exporter,exporter=points_lp,run="));
  EXPECT_THAT(points.back(),
              HasSubstr("offered=" + std::to_string(total - 1) + "i,stored=" + std::to_string(total - 1)));
  EXPECT_EQ(std::count_if(points.begin(), points.end(), [](const auto& l) { return l.rfind("exporter,", 0) == 0; }), 2)
      << "one after ten seconds, one at the end";
  EXPECT_THAT(points.front(), HasSubstr("llm_event,kind=start"));
  EXPECT_THAT(points.front(), HasSubstr("config=\"{\\\"name\\\":\\\"dual-model-mix\\\""));
}

TEST_F(RunExportTest, RecordingTheSummaryOnlyLeavesOutRequestsAndPoints) {
  export_run(sample::simulate({.measure_s = 3}), RecordLevel::summary);
  EXPECT_FALSE(std::filesystem::exists(scratch / "out/requests.jsonl"));
  EXPECT_FALSE(std::filesystem::exists(scratch / "out/points.lp"));
  const auto summary = nlohmann::json::parse(read("summary.json"));
  const nlohmann::json files = {"summary.json", "report.html", "run.hlog", "mix.hlog", "shard.json"};
  EXPECT_EQ(summary["files"], files);
  for (const std::string name : files) EXPECT_GT(read(name).size(), 100u) << name;
}

TEST_F(RunExportTest, ADirectoryThatHoldsARunIsRefused) {
  export_run(sample::simulate({.measure_s = 3}));
  const auto again = make_run_export(options(), sample::closed_loop());
  ASSERT_FALSE(again.has_value());
  EXPECT_THAT(again.error(), HasSubstr("already holds a run (summary.json)"));
}

TEST_F(RunExportTest, ARunThatDiedIsNotOverwrittenEither) {
  std::filesystem::create_directories(scratch / "out");
  std::ofstream(scratch / "out/requests.jsonl") << "{}\n";
  const auto again = make_run_export(options(), sample::closed_loop());
  ASSERT_FALSE(again.has_value());
  EXPECT_THAT(again.error(), HasSubstr("requests.jsonl"));
}

TEST_F(RunExportTest, APathThatCannotBeADirectoryIsNamed) {
  std::ofstream(scratch / "out") << "a file";
  const auto made = make_run_export(options(), sample::closed_loop());
  ASSERT_FALSE(made.has_value());
  EXPECT_THAT(made.error(), HasSubstr((scratch / "out").string()));
}

TEST_F(RunExportTest, AWriteErrorAtTheEndNamesTheFile) {
  const auto run = sample::simulate({.measure_s = 3});
  auto made = make_run_export(options(), run.scenario);
  ASSERT_TRUE(made.has_value()) << made.error();
  std::filesystem::remove_all(scratch / "out");
  Summary summary;
  const auto finished = (*made)->finish(run.scenario, run.totals(), {}, summary);
  ASSERT_FALSE(finished.has_value());
  EXPECT_THAT(finished.error(), HasSubstr("summary.json"));
  EXPECT_THAT(finished.error(), HasSubstr("No such file"));
}

TEST_F(RunExportTest, AnInfluxThatDoesNotAnswerIsRefusedBeforeTheRun) {
  ExportOptions unreachable = options();
  unreachable.influx.emplace().url = *exporters::parse_influx_url("http://127.0.0.1:1/db");
  const auto made = make_run_export(unreachable, sample::closed_loop());
  ASSERT_FALSE(made.has_value());
  EXPECT_THAT(made.error(), HasSubstr("127.0.0.1:1"));
}

TEST_F(RunExportTest, ARunWithoutASingleIntervalStillLeavesReadableFiles) {
  sample::SimulatedRun run = sample::simulate({.measure_s = 3});
  run.intervals.clear();
  const Summary summary = export_run(run);
  EXPECT_EQ(summary.verdict, Verdict::inconclusive);
  EXPECT_EQ(nlohmann::json::parse(read("summary.json"))["metrics"]["e2e"]["count"], 0);
  EXPECT_THAT(lines("run.hlog").front(), HasSubstr("plumbline"));
  EXPECT_THAT(read("report.html"), HasSubstr("</html>"));
}

}  // namespace
}  // namespace loadgen
