// Gates: what each spelling means, and what is said about the wrong ones.
#include "loadgen/plan/gate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace loadgen {
namespace {

using Comparison = Gate::Comparison;
using Statistic = LatencyTerm::Statistic;
using testing::HasSubstr;

struct LatencyCase {
  const char* text;
  Statistic statistic;
  double quantile;
  Metric metric;
  Comparison comparison;
  double limit_ms;
  const char* entry;
};

TEST(Gate, ReadsLatencyGates) {
  const LatencyCase cases[] = {
      {"p99(e2e) < 1500ms", Statistic::percentile, 0.99, Metric::e2e, Comparison::less, 1500, ""},
      {"p50(ttft)<=0.2s", Statistic::percentile, 0.5, Metric::ttft, Comparison::less_equal, 200, ""},
      {"p99.9(e2e_sched) < 2 s", Statistic::percentile, 0.999, Metric::e2e_sched, Comparison::less, 2000, ""},
      {"p99.99(itl) < 50ms", Statistic::percentile, 0.9999, Metric::itl, Comparison::less, 50, ""},
      {"p5(e2e) > 1us", Statistic::percentile, 0.05, Metric::e2e, Comparison::greater, 0.001, ""},
      {"p095(e2e) > 1us", Statistic::percentile, 0.95, Metric::e2e, Comparison::greater, 0.001, ""},
      {"  mean( tpot ) >= 250 ns ", Statistic::mean, 0.99, Metric::tpot, Comparison::greater_equal, 0.00025, ""},
      {"min(connect) < 1m", Statistic::min, 0.99, Metric::connect, Comparison::less, 60000, ""},
      {"max(lateness)\t<\t300µs", Statistic::max, 0.99, Metric::lateness, Comparison::less, 0.3, ""},
      {"p95(ttft, qwen2-qa.en_1) < 300ms", Statistic::percentile, 0.95, Metric::ttft, Comparison::less, 300,
       "qwen2-qa.en_1"},
  };
  for (const LatencyCase& expected : cases) {
    const auto gate = parse_gate(expected.text);
    ASSERT_TRUE(gate.has_value()) << expected.text << ": " << gate.error();
    EXPECT_EQ(gate->text, expected.text);
    const auto& term = std::get<LatencyTerm>(gate->term);
    EXPECT_EQ(term.statistic, expected.statistic) << expected.text;
    EXPECT_EQ(term.quantile, expected.quantile) << expected.text;  // the nearest double, exactly
    EXPECT_EQ(term.metric, expected.metric) << expected.text;
    EXPECT_EQ(gate->comparison, expected.comparison) << expected.text;
    EXPECT_DOUBLE_EQ(gate->limit, expected.limit_ms) << expected.text;
    EXPECT_EQ(gate->entry, expected.entry) << expected.text;
  }
}

TEST(Gate, ReadsScalarGates) {
  struct Case {
    const char* text;
    Scalar scalar;
    Comparison comparison;
    double limit;
    const char* entry;
  };
  const Case cases[] = {
      {"error_rate < 0.1%", Scalar::error_rate, Comparison::less, 0.001, ""},
      {"error_rate <= 0.05", Scalar::error_rate, Comparison::less_equal, 0.05, ""},
      {"error_rate <= 0 %", Scalar::error_rate, Comparison::less_equal, 0, ""},
      {"qps >= 8", Scalar::qps, Comparison::greater_equal, 8, ""},
      {"qps(llama3) > 2.5/s", Scalar::qps, Comparison::greater, 2.5, "llama3"},
      {"output_token_throughput > 1000", Scalar::output_token_throughput, Comparison::greater, 1000, ""},
      {"concurrency_mean >= 50", Scalar::concurrency_mean, Comparison::greater_equal, 50, ""},
      {"errors <= 0", Scalar::errors, Comparison::less_equal, 0, ""},
  };
  for (const Case& expected : cases) {
    const auto gate = parse_gate(expected.text);
    ASSERT_TRUE(gate.has_value()) << expected.text << ": " << gate.error();
    EXPECT_EQ(std::get<Scalar>(gate->term), expected.scalar) << expected.text;
    EXPECT_EQ(gate->comparison, expected.comparison) << expected.text;
    EXPECT_DOUBLE_EQ(gate->limit, expected.limit) << expected.text;
    EXPECT_EQ(gate->entry, expected.entry) << expected.text;
  }
}

TEST(Gate, ReadsGatesOnWhatWasObserved) {
  using Of = ObservedTerm::Statistic;
  struct Case {
    const char* text;
    Of statistic;
    ObservedMetric metric;
    const char* only;
    double limit;
  };
  const Case cases[] = {
      {"max(gpu.memory_used_mib) < 7152", Of::max, ObservedMetric::gpu_memory_used_mib, "", 7152},
      {"mean(gpu.utilization)>80%", Of::mean, ObservedMetric::gpu_utilization, "", 80},
      {"min( gpu.sm_clock_mhz , gpu = 1 ) >= 1500 MHz", Of::min, ObservedMetric::gpu_sm_clock_mhz, "1", 1500},
      {"last(gpu.temperature_c, gpu=0) < 85C", Of::last, ObservedMetric::gpu_temperature_c, "0", 85},
      {"p95(server.waiting, model=org/m:7b ) <= 4", Of::percentile, ObservedMetric::server_waiting, "org/m:7b", 4},
      {"max(server.kv_usage) < 95%", Of::max, ObservedMetric::server_kv_usage, "", 0.95},
      {"gpu.energy_j < 5000 J", Of::whole, ObservedMetric::gpu_energy_j, "", 5000},
      {"gpu.joules_per_token(gpu=0) < 2.5", Of::whole, ObservedMetric::gpu_joules_per_token, "0", 2.5},
      {"server.queue_time_mean < 0.25s", Of::whole, ObservedMetric::server_queue_time_mean, "", 250},
      {"server.prefix_hit_share(model=m) > 50%", Of::whole, ObservedMetric::server_prefix_hit_share, "m", 0.5},
      {"server.preemptions <= 0", Of::whole, ObservedMetric::server_preemptions, "", 0},
  };
  for (const Case& expected : cases) {
    const auto gate = parse_gate(expected.text);
    ASSERT_TRUE(gate.has_value()) << expected.text << ": " << gate.error();
    const auto& term = std::get<ObservedTerm>(gate->term);
    EXPECT_EQ(term.statistic, expected.statistic) << expected.text;
    EXPECT_EQ(term.metric, expected.metric) << expected.text;
    EXPECT_EQ(term.only, expected.only) << expected.text;
    EXPECT_EQ(gate->limit, expected.limit) << expected.text;
    EXPECT_EQ(gate->entry, "") << expected.text;
  }
  EXPECT_EQ(std::get<ObservedTerm>(parse_gate("p95(server.waiting) < 1")->term).quantile, 0.95);
}

TEST(Gate, SaysWhatWasExpectedAndWhere) {
  struct Case {
    const char* text;
    const char* column;
    const char* message;
  };
  const Case cases[] = {
      {"", "column 1 ", "expected pNN(metric)"},
      {"p99", "column 4 ", "expected '('"},
      {"p99(", "column 5 ", "expected a metric"},
      {"p99(e2) < 1s", "column 5 ", "did you mean 'e2e'"},
      {"p99(latency) < 1s", "column 5 ", "one of ttft, ttft_sched"},
      {"p99(e2e < 1s", "column 9 ", "expected ')'"},
      {"p99(e2e, ) < 1s", "column 10 ", "expected the name of a mix entry"},
      {"p99(e2e)", "column 9 ", "expected <, <=, > or >="},
      {"p99(e2e) = 1s", "column 10 ", "expected <, <=, > or >="},
      {"p99(e2e) == 1s", "column 10 ", "expected <, <=, > or >="},
      {"p99(e2e) <", "column 11 ", "expected a limit"},
      {"p99(e2e) < -5ms", "column 12 ", "not negative"},
      {"p99(e2e) < nanms", "column 12 ", "expected a limit"},
      {"p99(e2e) < inf", "column 12 ", "expected a limit"},
      {"p99(e2e) < .5s", "column 12 ", "expected a limit"},
      {"p99(e2e) < 1500", "column 16 ", "expected a unit"},
      {"p99(e2e) < 1500sec", "column 16 ", "expected a unit"},
      {"p99(e2e) < 1e3ms", "column 13 ", "expected a unit"},
      {"p99(e2e) < 1s && qps > 2", "column 15 ", "one gate is one comparison"},
      {"p100(e2e) < 1s", "column 1 ", "both excluded"},
      {"p0(e2e) < 1s", "column 1 ", "both excluded"},
      {"p999(e2e) < 1s", "column 1 ", "write p99.9"},
      {"p99.(e2e) < 1s", "column 1 ", "expected pNN(metric)"},
      {"ttft < 1s", "column 1 ", "ttft has many values: write p99(ttft)"},
      {"p(e2e) < 1s", "column 1 ", "expected pNN(metric)"},
      {"P99(e2e) < 1s", "column 1 ", "did you mean 'p99'"},
      {"  eror_rate < 1%", "column 3 ", "did you mean 'error_rate'"},
      {"error_rate < 5", "column 15 ", "write 5% or 0.05"},
      {"error_rate < 101%", "column 17 ", "cannot exceed 100%"},
      {"error_rate < 5ms", "column 15 ", "expected %"},
      {"qps >= 8%", "column 9 ", "no unit"},
      {"qps() >= 8", "column 5 ", "expected the name of a mix entry"},
      {"qps(a >= 8", "column 7 ", "expected ')'"},
      {"gpu.utilization > 80", "column 1 ", "has many readings: write max(gpu.utilization)"},
      {"mean(gpu.energy_j) > 80", "column 1 ", "has one value per run"},
      {"last(e2e) > 80ms", "column 1 ", "gpu and server only"},
      {"max(gpu.memory) < 1", "column 5 ", "gpu.memory_used_mib"},
      {"max(gpu.power_w, model=a) < 1", "column 18 ", "expected gpu=INDEX"},
      {"max(gpu.power_w, gpu=) < 1", "column 22 ", "expected the index of a GPU"},
      {"max(server.waiting, a) < 1", "column 21 ", "expected model=NAME"},
      {"max(server.waiting, model= ) < 1", "column 28 ", "expected a model's name"},
      {"max(server.waiting, model=a < 1", "column 32 ", "expected ')'"},
      {"max(gpu.power_w) < 80MiB", "column 22 ", "expected W or nothing"},
      {"max(server.waiting) < 80%", "column 25 ", "no unit"},
      {"max(server.kv_usage) < 80", "column 26 ", "write 5% or 0.05"},
      {"server.queue_time_mean < 5", "column 27 ", "expected a unit"},
  };
  for (const Case& expected : cases) {
    const auto gate = parse_gate(expected.text);
    ASSERT_FALSE(gate.has_value()) << expected.text;
    EXPECT_THAT(gate.error(), HasSubstr(expected.column)) << expected.text;
    EXPECT_THAT(gate.error(), HasSubstr(expected.message)) << expected.text;
  }
  EXPECT_FALSE(parse_gate(std::string(100'000, '(')).has_value());
  EXPECT_FALSE(parse_gate("p" + std::string(290, '9') + "(e2e)<1s").has_value());
}

}  // namespace
}  // namespace loadgen
