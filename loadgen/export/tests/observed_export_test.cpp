// Readings as points, and as the member `observed` of a summary.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "exporters/prometheus.hpp"
#include "loadgen/export/gpu_families.hpp"
#include "loadgen/export/observed_json.hpp"
#include "loadgen/export/observed_points.hpp"

namespace loadgen {
namespace {

constexpr std::int64_t second = 1'000'000'000;

RunFacts facts() {
  RunFacts facts;
  facts.run_id = "r1";
  facts.wall_start_ms = 1'700'000'000'000;
  facts.mono_start_ns = 100 * second;
  return facts;
}

SubjectReading gpu_reading() {
  SubjectReading one;
  one.subject = {Subject::Kind::gpu, "nvml", "0", "GPU-a b", "Fake", "h,1", "", ""};
  one.reading.at_ns = 102 * second;
  one.reading.values.set(ObservedMetric::gpu_utilization, 87);
  one.reading.values.set(ObservedMetric::gpu_memory_used_mib, 1024.5);
  one.reading.knows_throttle = true;
  one.reading.throttle = Throttle::power_cap;
  return one;
}

SubjectReading server_reading() {
  SubjectReading one;
  one.subject = {Subject::Kind::server, "http://h/metrics", "", "", "", "", "http://h", "qwen2"};
  one.reading.at_ns = 102 * second + 5;
  one.reading.values.set(ObservedMetric::server_running, 3);
  one.reading.values.set(ObservedMetric::server_kv_usage, 0.25);
  one.reading.values.set(ObservedMetric::server_queue_time_s, 2);
  return one;
}

TEST(ObservedPoints, OneLinePerReadingAtItsTime) {
  exporters::Batch batch;
  append_observed(batch, facts(), {gpu_reading(), server_reading()});
  EXPECT_EQ(batch.bytes,
            "gpu,gpu=0,host=h\\,1,run=r1,uuid=GPU-a\\ b util=87,mem_used_mib=1024.5,throttle=4i 1700000002000000000\n"
            "llm_server,model=qwen2,run=r1,target=http://h running=3i,kv_usage=0.25,queue_time_sum=2 "
            "1700000002000000005\n");
}

TEST(ObservedPoints, AReadingWithoutValuesIsNoPoint) {
  SubjectReading empty = gpu_reading();
  empty.reading = {};
  exporters::Batch batch;
  append_observed(batch, facts(), {empty});
  EXPECT_TRUE(batch.empty());
}

TEST(GpuFamilies, ShowTheNewestReadingOfEachGpu) {
  GpuFamilies gpus;
  SubjectReading reading = gpu_reading();
  gpus.add("r1", {reading, server_reading()});
  reading.reading.values.set(ObservedMetric::gpu_utilization, 12);
  gpus.add("r1", {reading});
  std::vector<exporters::MetricFamily> families;
  gpus.append(families);
  const std::string page = exporters::render_prometheus(families);
  const std::string of = "{run=\"r1\",host=\"h,1\",gpu=\"0\",uuid=\"GPU-a b\"";
  EXPECT_NE(page.find("llm_gpu_utilization_percent" + of + "} 12\n"), std::string::npos) << page;
  EXPECT_NE(page.find("llm_gpu_memory_used_bytes" + of + "} 1074266112\n"), std::string::npos) << page;
  EXPECT_NE(page.find("llm_gpu_throttled" + of + ",reason=\"power_cap\"} 1\n"), std::string::npos) << page;
  EXPECT_NE(page.find("llm_gpu_throttled" + of + ",reason=\"hw_thermal\"} 0\n"), std::string::npos) << page;
  EXPECT_EQ(page.find("llm_gpu_power_watts"), std::string::npos) << "not known";
  EXPECT_EQ(page.find("running"), std::string::npos);
}

TEST(ObservedJson, SaysWhatWhereAndFromWhom) {
  Observations observations;
  SourceLog log;
  log.name = "nvml";
  log.is_open = true;
  log.notes = {"driver 1"};
  observations.sources = {log};
  SubjectReading gpu = gpu_reading();
  SubjectReading server = server_reading();
  server.reading.values.set(ObservedMetric::server_prompt_tokens, 100);
  observations.series = {{gpu.subject, {gpu.reading}}, {server.subject, {server.reading}}};
  const ObservedSummary summary = summarize_observed(observations, {102 * second, 103 * second}, 50);
  const auto document = observed_document(summary);
  EXPECT_EQ(document["window_s"], 1);
  EXPECT_EQ(document["sources"][0]["notes"][0], "driver 1");
  const auto& of_gpu = document["gpus"][0];
  EXPECT_EQ(of_gpu["uuid"], "GPU-a b");
  EXPECT_EQ(of_gpu["metrics"]["memory_used_mib"]["max"], 1024.5);
  EXPECT_EQ(of_gpu["throttled"]["reasons"]["power_cap"], 1);
  EXPECT_EQ(of_gpu["energy_j"], nullptr);
  const auto& of_server = document["servers"][0];
  EXPECT_EQ(of_server["model"], "qwen2");
  EXPECT_EQ(of_server["metrics"]["running"]["count"], 1);
  EXPECT_EQ(of_server["metrics"]["prompt_tokens"]["last"], 100);
  EXPECT_FALSE(of_server["metrics"]["prompt_tokens"].contains("mean")) << "a total has an increase, no mean";
  const auto lines = observed_timelines(summary);
  EXPECT_EQ(lines[0]["subject"], "GPU 0 of h,1");
  EXPECT_EQ(lines[0]["unit"], "%");
  EXPECT_EQ(lines[0]["at"][0], 0);
}

TEST(ObservedJson, IsNullWhereNothingWasLookedAt) {
  EXPECT_TRUE(observed_document({}).is_null());
  EXPECT_TRUE(observed_timelines({}).empty());
}

}  // namespace
}  // namespace loadgen
