#include "loadgen/export/report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "loadgen/export/assets.hpp"
#include "loadgen/export/report_data.hpp"
#include "loadgen/export/summary_json.hpp"
#include "loadgen/export/tests/simulated_run.hpp"

namespace loadgen {
namespace {

using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::ordered_json;

Json report_of(const sample::SimulatedRun& run, std::size_t max_points = 900) {
  const RunTotals totals = run.totals();
  return report_document(summary_document(run.scenario, summarize(run.scenario, totals, {}), {}), run.scenario, totals,
                         max_points);
}

std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const std::size_t from = text.find(begin) + begin.size();
  return text.substr(from, text.find(end, from) - from);
}

TEST(Report, HoldsTheDataAsInertJson) {
  const Json report = report_of(sample::simulate({.measure_s = 3}));
  const std::string page = render_report(report);
  const std::string data = between(page, "<script type=\"application/json\" id=\"data\">", "</script>");
  EXPECT_EQ(Json::parse(data), report);
}

TEST(Report, NamesFromOutsideCannotLeaveTheirPlace) {
  auto run = sample::simulate({.measure_s = 3});
  run.scenario.name = "</script><script>alert(1)</script> @DATA@ @CSS@";
  run.scenario.mix[0].name = "<img src=x onerror=alert(1)>";
  const std::string page = render_report(report_of(run));
  EXPECT_THAT(page, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(page, HasSubstr("<title>&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt; @DATA@ @CSS@ · Plumbline"));
  EXPECT_THAT(page, HasSubstr("\\u003c/script\\u003e"));
}

TEST(Report, IsOneFileThatAsksTheNetworkForNothing) {
  const std::string page = render_report(report_of(sample::simulate({.measure_s = 3})));
  EXPECT_THAT(page, HasSubstr("Content-Security-Policy\" content=\"default-src 'none'"));
  EXPECT_THAT(page, HasSubstr("Chart.js v"));
  EXPECT_THAT(page, Not(HasSubstr("@CHART_JS@")));
  for (const std::string_view asset : {assets::chart_js, assets::text_js, assets::charts_js, assets::report_css})
    EXPECT_EQ(asset.find("</script"), std::string_view::npos) << "would end the element it stands in";
}

TEST(Report, SeriesIsPerSecondAndPerStepWhenLong) {
  auto run = sample::simulate({.warmup_s = 2, .measure_s = 10, .drain_s = 0, .failure_share = 0});
  const Json fine = report_of(run);
  EXPECT_EQ(fine["step_s"], 1);
  EXPECT_EQ(fine["series"]["at"].size(), 12u);
  EXPECT_EQ(fine["series"]["at"][0], -1.5);
  EXPECT_EQ(fine["series"]["ok"][5], 90.0);
  EXPECT_EQ(fine["series"]["ttft_p50"][0], nullptr) << "warm-up is not measured";
  const Json coarse = report_of(run, 4);
  EXPECT_EQ(coarse["step_s"], 3);
  ASSERT_EQ(coarse["series"]["at"].size(), 4u);
  EXPECT_EQ(coarse["series"]["at"][1], 2.5);
  EXPECT_EQ(coarse["series"]["ok"][1], 90.0);
  const auto& p99 = fine["series"]["e2e_p99"];
  EXPECT_EQ(coarse["series"]["e2e_p99"][1],
            std::max({p99[3].get<double>(), p99[4].get<double>(), p99[5].get<double>()}));
}

TEST(Report, DistributionHasItsCurveAndItsBins) {
  exporters::Distribution values;
  for (int i = 1; i <= 1000; ++i) values.record_ns(std::int64_t{i} * 1'000'000);
  const Json document = distribution_document(values);
  EXPECT_EQ(document["count"], 1000);
  std::map<double, double> curve;
  for (const Json& point : document["curve"]) curve[point[0]] = point[1];
  EXPECT_NEAR(curve.at(2), 500, 0.5);
  EXPECT_NEAR(curve.at(10), 900, 0.9);
  EXPECT_NEAR(curve.at(100), 990, 1);
  EXPECT_NEAR(curve.rbegin()->first, 1000, 1e-9);
  EXPECT_NEAR(curve.rbegin()->second, 999, 1.1);
  EXPECT_NEAR(document["trusted"].get<double>(), 151, 1.5) << "1 - 1/151 is the last quantile 1000 values support";
  std::uint64_t binned = document["histogram"]["over"];
  for (const Json& count : document["histogram"]["counts"]) binned += count.get<std::uint64_t>();
  EXPECT_EQ(binned, 1000u);
  EXPECT_EQ(distribution_document({}), Json(nullptr));
}

TEST(Report, BinsAreNeverNarrowerThanTheHistogramsSlots) {
  exporters::Distribution values;
  for (int i = 0; i < 1000; ++i) values.record_ns(1'222'000'000 + std::int64_t{i} * 5'000);  // 5 ms; slots of 1.024 ms
  const Json histogram = distribution_document(values)["histogram"];
  EXPECT_DOUBLE_EQ(histogram["width"].get<double>(), 1.024);
  for (const Json& count : histogram["counts"]) EXPECT_GT(count, 0) << histogram;
}

TEST(Report, TheCurveEndsWhereTimeoutsBegin) {
  exporters::Distribution values;
  values.record_ns(1'000'000, 90);
  for (int i = 0; i < 10; ++i) values.record_censored(1'000'000'000);
  const Json document = distribution_document(values);
  EXPECT_LE(document["curve"].back()[0].get<double>(), 10.0);
  EXPECT_EQ(document["histogram"]["over"], 10);
}

}  // namespace
}  // namespace loadgen
