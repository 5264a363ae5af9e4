// Gates over readings: passed, failed, and above all never passed when what they ask about was not there.
#include "loadgen/summarize/observed_gate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace loadgen {
namespace {

using ::testing::HasSubstr;
using Status = GateResult::Status;

constexpr std::int64_t second = 1'000'000'000;
constexpr Window window{10 * second, 20 * second};

/// Readings once a second from `from_s` on, one per value.
SampleSeries series_of(Subject subject, ObservedMetric metric, const std::vector<double>& values,
                       double from_s = 10.2) {
  SampleSeries series;
  series.subject = std::move(subject);
  for (std::size_t i = 0; i < values.size(); ++i) {
    Reading reading;
    reading.at_ns = static_cast<std::int64_t>((from_s + static_cast<double>(i)) * second);
    reading.values.set(metric, values[i]);
    series.readings.push_back(reading);
  }
  return series;
}

Subject gpu(const std::string& index) {
  Subject subject;
  subject.source = "nvml";
  subject.gpu = index;
  return subject;
}
Subject server(const std::string& model) {
  Subject subject;
  subject.kind = Subject::Kind::server;
  subject.source = "http://h/metrics";
  subject.target = "http://h";
  subject.model = model;
  return subject;
}

Observations of(std::vector<SampleSeries> series) {
  Observations all;
  for (const auto kind : {Subject::Kind::gpu, Subject::Kind::server}) {
    SourceLog log;
    log.name = kind == Subject::Kind::gpu ? "nvml" : "http://h/metrics";
    log.kind = kind;
    log.is_open = true;
    all.sources.push_back(log);
  }
  all.series = std::move(series);
  return all;
}

GateResult check(const char* text, const Observations& observations, std::uint64_t tokens = 100) {
  const auto gate = parse_gate(text);
  if (!gate) throw std::invalid_argument(gate.error());
  return check_observed_gate(*gate, std::get<ObservedTerm>(gate->term), observations, window, tokens);
}

const std::vector<double> rising = {10, 20, 30, 40, 50, 60, 70, 80, 90, 100};
constexpr auto memory = ObservedMetric::gpu_memory_used_mib;

TEST(ObservedGate, StatisticsOfReadings) {
  const Observations all = of({series_of(gpu("0"), memory, rising)});
  struct Case {
    const char* gate;
    Status status;
    double value;
  };
  for (const Case& expected : {Case{"max(gpu.memory_used_mib) < 101", Status::pass, 100},
                               Case{"max(gpu.memory_used_mib) < 100", Status::fail, 100},
                               Case{"max(gpu.memory_used_mib) <= 100 MiB", Status::pass, 100},
                               Case{"min(gpu.memory_used_mib) > 9", Status::pass, 10},
                               Case{"mean(gpu.memory_used_mib) >= 55", Status::pass, 55},
                               Case{"last(gpu.memory_used_mib, gpu=0) < 100", Status::fail, 100},
                               Case{"p50(gpu.memory_used_mib) <= 50", Status::pass, 50},
                               Case{"p90(gpu.memory_used_mib) <= 90", Status::pass, 90}}) {
    const GateResult result = check(expected.gate, all);
    EXPECT_EQ(result.status, expected.status) << expected.gate << ": " << result.note;
    EXPECT_EQ(result.value, expected.value) << expected.gate;
    EXPECT_EQ(result.unit, "MiB");
  }
  EXPECT_EQ(check("p99(gpu.memory_used_mib) < 1000", all).status, Status::inconclusive);
  EXPECT_THAT(check("p99(gpu.memory_used_mib) < 1000", all).note, HasSubstr("at least 100 readings"));
}

TEST(ObservedGate, WithoutASourceNothingPasses) {
  for (const char* text :
       {"max(gpu.memory_used_mib) < 7152", "mean(gpu.utilization) > 80", "gpu.joules_per_token < 2", "gpu.energy_j < 1",
        "gpu.energy_j >= 0", "max(server.waiting) < 5", "server.queue_time_mean < 1s", "server.preemptions <= 0"}) {
    const GateResult nothing_named = check(text, {});
    EXPECT_EQ(nothing_named.status, Status::inconclusive) << text;
    EXPECT_FALSE(nothing_named.value.has_value());
    EXPECT_THAT(nothing_named.note,
                HasSubstr(std::string_view(text).find("gpu") != std::string_view::npos ? "--gpu-source" : "--scrape"));
    EXPECT_EQ(check(text, of({})).status, Status::inconclusive) << text;
  }
  Observations absent = of({});
  absent.sources[0].is_open = false;
  absent.sources[0].first_error = "no NVML: nothing there";
  EXPECT_EQ(check("max(gpu.memory_used_mib) < 7152", absent).status, Status::inconclusive);
  EXPECT_THAT(check("max(gpu.memory_used_mib) < 7152", absent).note, HasSubstr("nvml gave nothing: no NVML"));
}

TEST(ObservedGate, ASourceThatWentAwayDecidesOnlyWhatItSaw) {
  const std::vector<double> half = {10, 20, 30, 40, 50};
  const Observations all = of({series_of(gpu("0"), memory, half)});
  EXPECT_EQ(check("max(gpu.memory_used_mib) < 100", all).status, Status::inconclusive);
  EXPECT_THAT(check("max(gpu.memory_used_mib) < 100", all).note, HasSubstr("only 5 readings in 10 s"));
  EXPECT_EQ(check("max(gpu.memory_used_mib) < 50", all).status, Status::fail) << "what was seen was seen";
  EXPECT_EQ(check("min(gpu.memory_used_mib) > 10", all).status, Status::fail);
  EXPECT_EQ(check("mean(gpu.memory_used_mib) < 20", all).status, Status::inconclusive);
  const Observations before_only = of({series_of(gpu("0"), memory, half, 1)});
  EXPECT_EQ(check("max(gpu.memory_used_mib) < 100", before_only).status, Status::inconclusive);
  const Observations nearly_all = of({series_of(gpu("0"), memory, {1, 2, 3, 4, 5, 6, 7, 8, 9})});
  EXPECT_EQ(check("max(gpu.memory_used_mib) < 100", nearly_all).status, Status::pass) << "one reading fell on an edge";
}

/// Readings of one GPU from a page.
Observations on_page(ObservedMetric metric, const std::vector<double>& values, double from_s = 10.2) {
  Observations all = of({series_of(gpu("0"), metric, values, from_s)});
  all.sources[0].is_page = true;
  return all;
}

TEST(ObservedGate, APageThatDoesNotChangeDecidesNothing) {
  const std::vector<double> frozen(14, 50);
  for (const char* text : {"max(gpu.memory_used_mib) < 100", "mean(gpu.memory_used_mib) > 10"}) {
    const GateResult result = check(text, on_page(memory, frozen, 8.2));
    EXPECT_EQ(result.status, Status::inconclusive) << text;
    EXPECT_EQ(result.value, 50) << "what it said is shown";
    EXPECT_THAT(result.note, HasSubstr("nvml did not change for 10 s of the window"));
    EXPECT_EQ(check(text, of({series_of(gpu("0"), memory, frozen, 8.2)})).status, Status::pass) << "a driver is asked";
  }
  EXPECT_EQ(check("max(gpu.memory_used_mib) < 50", on_page(memory, frozen, 8.2)).status, Status::fail)
      << "what was seen was seen";
  EXPECT_EQ(check("max(gpu.memory_used_mib) < 101", on_page(memory, rising)).status, Status::pass);
  std::vector<double> late = frozen;
  late[0] = 49;  // a change before the window alone
  EXPECT_EQ(check("max(gpu.memory_used_mib) < 100", on_page(memory, late, 8.2)).status, Status::inconclusive);
  late[7] = 49;
  EXPECT_EQ(check("max(gpu.memory_used_mib) < 100", on_page(memory, late, 8.2)).status, Status::pass);
}

TEST(ObservedGate, AFrozenCounterIsNotZeroEnergy) {
  const std::vector<double> frozen(14, 5000);
  for (const char* text : {"gpu.energy_j < 1", "gpu.joules_per_token < 2"})
    EXPECT_EQ(check(text, on_page(ObservedMetric::gpu_energy_j, frozen, 8.2)).status, Status::inconclusive) << text;
}

TEST(ObservedGate, MustHoldForEachGpuUnlessOneIsNamed) {
  const Observations two =
      of({series_of(gpu("0"), memory, rising), series_of(gpu("1"), memory, std::vector<double>(10, 500))});
  const GateResult most = check("max(gpu.memory_used_mib) < 200", two);
  EXPECT_EQ(most.status, Status::fail);
  EXPECT_EQ(most.value, 500);
  EXPECT_EQ(most.note, "GPU 1");
  EXPECT_EQ(check("max(gpu.memory_used_mib, gpu=0) < 200", two).status, Status::pass);
  const GateResult least = check("min(gpu.memory_used_mib) > 5", two);
  EXPECT_EQ(least.status, Status::pass);
  EXPECT_EQ(least.value, 10) << "the one nearest to failing";
  const GateResult none = check("max(gpu.memory_used_mib, gpu=7) < 200", two);
  EXPECT_EQ(none.status, Status::inconclusive);
  EXPECT_THAT(none.note, HasSubstr("there is no GPU 7 with it among GPU 0, GPU 1"));
  const Observations one_lost = of({series_of(gpu("0"), memory, rising), series_of(gpu("1"), memory, {500, 500})});
  EXPECT_EQ(check("max(gpu.memory_used_mib) < 1000", one_lost).status, Status::inconclusive);
  EXPECT_EQ(check("max(gpu.memory_used_mib) < 100", one_lost).status, Status::fail);
}

TEST(ObservedGate, EnergyAndJoulesPerToken) {
  const Observations all = of({series_of(gpu("0"), ObservedMetric::gpu_energy_j,
                                         {0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 1100}, 9.5),
                               series_of(gpu("1"), ObservedMetric::gpu_power_w, std::vector<double>(12, 50), 9.5)});
  EXPECT_EQ(check("gpu.energy_j(gpu=0) <= 1000", all).status, Status::pass);
  EXPECT_NEAR(check("gpu.energy_j(gpu=1) <= 1000", all).value.value(), 500, 1e-6);
  const GateResult cost = check("gpu.joules_per_token < 16", all, 100);
  EXPECT_EQ(cost.status, Status::pass) << cost.note;
  EXPECT_NEAR(cost.value.value(), 15, 1e-6);
  EXPECT_EQ(check("gpu.joules_per_token < 15", all, 100).status, Status::fail);
  EXPECT_EQ(check("gpu.joules_per_token < 16", all, 0).status, Status::inconclusive);
  const Observations silent = of({series_of(gpu("0"), memory, rising)});
  EXPECT_EQ(check("gpu.joules_per_token < 16", silent).status, Status::inconclusive);
  EXPECT_EQ(check("gpu.energy_j < 16", silent).status, Status::inconclusive);
}

TEST(ObservedGate, ServersByModel) {
  Observations all = of({series_of(server("a"), ObservedMetric::server_waiting, std::vector<double>(10, 2)),
                         series_of(server("b"), ObservedMetric::server_waiting, std::vector<double>(10, 9))});
  EXPECT_EQ(check("max(server.waiting) < 5", all).status, Status::fail);
  EXPECT_EQ(check("max(server.waiting) < 5", all).note, "model b of http://h");
  EXPECT_EQ(check("max(server.waiting, model=a) < 5", all).status, Status::pass);
  EXPECT_THAT(check("max(server.kv_usage) < 90%", all).note, HasSubstr("does not say server.kv_usage"));

  SampleSeries queue = series_of(server(""), ObservedMetric::server_queue_time_s, std::vector<double>(12, 1), 9.5);
  for (std::size_t i = 0; i < queue.readings.size(); ++i) {
    queue.readings[i].values.set(ObservedMetric::server_queue_time_s, 0.5 * static_cast<double>(i));
    queue.readings[i].values.set(ObservedMetric::server_queue_time_count, 10 * static_cast<double>(i));
  }
  all.series.push_back(queue);
  const GateResult mean = check("server.queue_time_mean <= 50ms", all);
  EXPECT_EQ(mean.status, Status::pass) << mean.note;
  EXPECT_NEAR(mean.value.value(), 50, 1e-6);
  EXPECT_EQ(mean.unit, "ms");
}

}  // namespace
}  // namespace loadgen
