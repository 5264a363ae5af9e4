#include "loadgen/export/points.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "loadgen/export/tests/simulated_run.hpp"

namespace loadgen {
namespace {

using sample::ms;
using sample::second;
using testing::HasSubstr;
using testing::StartsWith;

std::vector<std::string> lines_of(const exporters::Batch& batch) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  for (const std::size_t end : batch.ends) {
    lines.push_back(batch.bytes.substr(begin, end - begin - 1));
    EXPECT_EQ(batch.bytes[end - 1], '\n');
    begin = end;
  }
  EXPECT_EQ(begin, batch.bytes.size());
  return lines;
}

std::vector<std::string> with_measurement(const std::vector<std::string>& lines, const std::string& name) {
  std::vector<std::string> found;
  for (const std::string& line : lines)
    if (line.rfind(name + ",", 0) == 0) found.push_back(line);
  return found;
}

std::int64_t time_of(const std::string& line) {
  return std::stoll(line.substr(line.rfind(' ') + 1));
}

Interval one_second(const RunFacts& facts) {
  Interval interval;
  interval.begin_ns = facts.window.begin_ns;
  interval.end_ns = interval.begin_ns + second;
  interval.phase = Phase::measure;
  interval.entries.resize(1);
  return interval;
}

TEST(Points, ARequestIsOneLineInSeconds) {
  const Scenario scenario = sample::closed_loop();
  const RunFacts facts = sample::empty_run().facts;
  Interval interval = one_second(facts);
  RequestRow row;
  row.record.index = 12;
  row.record.phase = Phase::measure;
  row.record.outcome = Outcome::ok;
  row.record.http_status = 200;
  row.record.output_tokens = 3;
  row.record.stamps.end = facts.window.begin_ns + 5;
  row.metrics[Metric::ttft] = 250 * ms;
  row.metrics[Metric::ttfo] = 750 * ms;
  row.metrics.chunks = 3;
  interval.rows = {row};
  exporters::Batch batch;
  PointRenderer(scenario).append_interval(batch, facts, interval);
  // The window starts two seconds after the wall-clock start, 1795230900000 ms.
  EXPECT_EQ(lines_of(batch).front(),
            "llm_request,entry=a,model=qwen2,outcome=ok,phase=measure,route=tgi-stream,run=20261121T031500Z-1a2b,"
            "scenario=qa,target=http://127.0.0.1:8080 "
            "ttft=0.25,ttfo=0.75,tok_out=3i,chunks=3i,http_status=200i,id=\"12\" 1795230902000000005");
}

TEST(Points, EqualTimesBecomeUnique) {
  const Scenario scenario = sample::closed_loop();
  const RunFacts facts = sample::empty_run().facts;
  Interval interval = one_second(facts);
  interval.rows.resize(100);
  for (RequestRow& row : interval.rows) row.record.stamps.end = facts.window.begin_ns + 7;
  exporters::Batch batch;
  PointRenderer(scenario).append_interval(batch, facts, interval);
  std::set<std::int64_t> times;
  for (const std::string& line : with_measurement(lines_of(batch), "llm_request")) times.insert(time_of(line));
  EXPECT_EQ(times.size(), 100u);
}

TEST(Points, AnIntervalStatesItsEntriesAndTheLoad) {
  const Scenario scenario = sample::closed_loop();
  const RunFacts facts = sample::empty_run().facts;
  Interval interval = one_second(facts);
  sample::ended(interval.entries[0], Phase::measure, Outcome::ok) = 3;
  sample::ended(interval.entries[0], Phase::warmup, Outcome::ok) = 1;
  sample::ended(interval.entries[0], Phase::measure, Outcome::reset) = 2;
  sample::ended(interval.entries[0], Phase::measure, Outcome::cancelled) = 9;
  interval.entries[0].all_output_tokens = 64;
  interval.entries[0].started = 3;
  interval.entries[0].in_flight = 2;
  interval.health.sent = 5;
  interval.health.in_flight = 8;
  interval.health.tokens = 70;
  exporters::Batch batch;
  PointRenderer(scenario).append_interval(batch, facts, interval);
  const auto lines = lines_of(batch);
  EXPECT_THAT(with_measurement(lines, "llm_interval").at(0),
              HasSubstr(" sent=3i,in_flight=2i,done=4i,failed=2i,tok_in=0i,tok_out=64i 1795230902000000000"));
  EXPECT_THAT(with_measurement(lines, "llm_interval").at(0), HasSubstr(",model=" + scenario.mix[0].model + ","));
  EXPECT_THAT(with_measurement(lines, "llm_load").at(0), HasSubstr(" sent=5i,in_flight=8i,tok_out=70i 17952309020"));
}

TEST(Points, HistogramSlotsCarryTimeStampsOfTheirOwn) {
  const Scenario scenario = sample::closed_loop();
  const RunFacts facts = sample::empty_run().facts;
  Interval interval = one_second(facts);
  interval.entries[0][Metric::e2e].record_ns(1'000'000, 4);  // 1000 µs: slot 1000
  interval.entries[0][Metric::e2e].record_ns(2'049'000);     // 2049 µs shares slot 2048 with 2048
  interval.entries[0][Metric::e2e].record_censored(300 * second);
  exporters::Batch batch;
  PointRenderer(scenario).append_interval(batch, facts, interval);
  const auto lines = with_measurement(lines_of(batch), "llm_hdr");
  ASSERT_EQ(lines.size(), 3u);
  const std::string tags = "llm_hdr,entry=a,metric=e2e,run=20261121T031500Z-1a2b ";
  EXPECT_EQ(lines[0], tags + "slot=1000i,value_us=1000i,n=4i 1795230902000001000");
  EXPECT_EQ(lines[1], tags + "slot=2048i,value_us=2049i,n=1i 1795230902000002048");
  EXPECT_EQ(lines[2], tags + "slot=23552i,value_us=4294967296i,n=1i 1795230902000023552")
      << "cut by a timeout: after the last slot";
}

/// Whole-run percentiles computed from the stored slots alone are those of the run.
TEST(Points, PercentilesRecomputedFromSlotsAreExact) {
  const auto run = sample::simulate({.measure_s = 5, .requests_per_s = 900, .failure_share = 0.01});
  PointRenderer renderer(run.scenario);
  std::map<std::string, std::map<std::int64_t, std::uint64_t>> slots;  // metric -> value -> n
  for (const Interval& interval : run.intervals) {
    exporters::Batch batch;
    renderer.append_interval(batch, run.facts, interval);
    for (const std::string& line : with_measurement(lines_of(batch), "llm_hdr")) {
      const auto after = [&line](const std::string& key) {
        const std::size_t at = line.find(key) + key.size();
        return line.substr(at, line.find_first_of(", ", at) - at);
      };
      slots[after("metric=")][std::stoll(after("value_us="))] += std::stoull(after(",n="));
    }
  }
  const Summary summary = summarize(run.scenario, run.totals(), {});
  for (const Metric metric : {Metric::ttft, Metric::tpot, Metric::e2e, Metric::icl}) {
    const auto& counts = slots.at(std::string(label(metric)));
    std::uint64_t total = 0;
    for (const auto& [value, n] : counts) total += n;
    const auto percentile = [&](double p) {
      auto rank = static_cast<std::uint64_t>(std::ceil(p * static_cast<double>(total) - 1e-9));
      for (const auto& [value, n] : counts) {
        if (rank <= n) return static_cast<double>(value) / 1000;
        rank -= n;
      }
      return -1.0;
    };
    const MetricSummary& expected = summary.overall.metrics[static_cast<std::size_t>(metric)];
    EXPECT_EQ(expected.count + expected.censored, total);
    EXPECT_DOUBLE_EQ(percentile(0.5), expected.p50.value());
    EXPECT_DOUBLE_EQ(percentile(0.9), expected.p90.value());
    if (expected.p99) {
      EXPECT_DOUBLE_EQ(percentile(0.99), expected.p99.value());
    }
  }
}

TEST(Points, HostileNamesStayOnOneLine) {
  Scenario scenario = sample::closed_loop();
  scenario.mix[0].name = "a,b c=d\nevil,x=1 v=1";
  const RunFacts facts = sample::empty_run().facts;
  exporters::Batch batch;
  PointRenderer renderer(scenario);
  renderer.append_interval(batch, facts, one_second(facts));
  renderer.append_event(batch, facts, facts.window.begin_ns, "abort", "line one\nline \"two\"");
  for (const std::string& line : with_measurement(lines_of(batch), "llm_interval"))
    EXPECT_THAT(line, StartsWith("llm_interval,entry=a\\,b\\ c\\=d\\nevil\\,x\\=1\\ v\\=1,model="));
}

}  // namespace
}  // namespace loadgen
