// Pages as TGI, vLLM, a DCGM exporter, Triton and we ourselves write them, and what is taken from each.
#include "loadgen/observe/page_metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace loadgen {
namespace {

using ::testing::HasSubstr;

std::vector<SubjectReading> gpus_of(std::string_view page) {
  auto readings = gpu_readings(page);
  if (!readings) throw std::invalid_argument(readings.error());
  return std::move(*readings);
}
std::vector<SubjectReading> servers_of(std::string_view page) {
  auto readings = server_readings(page);
  if (!readings) throw std::invalid_argument(readings.error());
  return std::move(*readings);
}

constexpr std::string_view dcgm_page =
    "# HELP DCGM_FI_DEV_SM_CLOCK SM clock frequency (in MHz).\n"
    "# TYPE DCGM_FI_DEV_SM_CLOCK gauge\n"
    "DCGM_FI_DEV_SM_CLOCK{gpu=\"0\",UUID=\"GPU-a\",pci_bus_id=\"00000000:3B:00.0\",device=\"nvidia0\",modelName="
    "\"NVIDIA L4\",Hostname=\"node7\"} 1590\n"
    "DCGM_FI_DEV_SM_CLOCK{gpu=\"1\",UUID=\"GPU-b\",device=\"nvidia1\",modelName=\"NVIDIA L4\",Hostname=\"node7\"} "
    "9223372036854775794\n"
    "DCGM_FI_DEV_GPU_TEMP{gpu=\"0\",UUID=\"GPU-a\",modelName=\"NVIDIA L4\",Hostname=\"node7\"} 54\n"
    "DCGM_FI_DEV_GPU_TEMP{gpu=\"1\",UUID=\"GPU-b\",modelName=\"NVIDIA L4\",Hostname=\"node7\"} 2147483632\n"
    "DCGM_FI_DEV_POWER_USAGE{gpu=\"0\",UUID=\"GPU-a\",modelName=\"NVIDIA L4\",Hostname=\"node7\"} 71.482000\n"
    "DCGM_FI_DEV_POWER_USAGE{gpu=\"1\",UUID=\"GPU-b\",modelName=\"NVIDIA L4\",Hostname=\"node7\"} 140737488355328\n"
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu=\"0\",UUID=\"GPU-a\",modelName=\"NVIDIA L4\",Hostname=\"node7\"} "
    "1234567890\n"
    "DCGM_FI_DEV_GPU_UTIL{gpu=\"0\",UUID=\"GPU-a\",modelName=\"NVIDIA L4\",Hostname=\"node7\"} 96\n"
    "DCGM_FI_DEV_FB_FREE{gpu=\"0\",UUID=\"GPU-a\",modelName=\"NVIDIA L4\",Hostname=\"node7\"} 2000\n"
    "DCGM_FI_DEV_FB_USED{gpu=\"0\",UUID=\"GPU-a\",modelName=\"NVIDIA L4\",Hostname=\"node7\"} 20500\n"
    "DCGM_FI_DEV_FB_USED{gpu=\"1\",UUID=\"GPU-b\",modelName=\"NVIDIA L4\",Hostname=\"node7\"} 3\n"
    "DCGM_FI_DEV_CLOCKS_EVENT_REASONS{gpu=\"0\",UUID=\"GPU-a\",modelName=\"NVIDIA L4\",Hostname=\"node7\"} 37\n"
    "DCGM_FI_PROF_GR_ENGINE_ACTIVE{gpu=\"0\",UUID=\"GPU-a\",modelName=\"NVIDIA L4\",Hostname=\"node7\"} 0.5\n";

TEST(GpuReadings, OfADcgmExporter) {
  const auto gpus = gpus_of(dcgm_page);
  ASSERT_EQ(gpus.size(), 2U);
  EXPECT_EQ(gpus[0].subject.gpu, "0");
  EXPECT_EQ(gpus[0].subject.uuid, "GPU-a");
  EXPECT_EQ(gpus[0].subject.name, "NVIDIA L4");
  EXPECT_EQ(gpus[0].subject.host, "node7");
  const Values& values = gpus[0].reading.values;
  EXPECT_EQ(values[ObservedMetric::gpu_utilization], 96) << "the exporter's own figure goes before a profiler's";
  EXPECT_EQ(values[ObservedMetric::gpu_memory_used_mib], 20500);
  EXPECT_EQ(values[ObservedMetric::gpu_memory_total_mib], 22500);
  EXPECT_DOUBLE_EQ(values[ObservedMetric::gpu_power_w], 71.482);
  EXPECT_DOUBLE_EQ(values[ObservedMetric::gpu_energy_j], 1234567.89);
  EXPECT_EQ(values[ObservedMetric::gpu_temperature_c], 54);
  EXPECT_EQ(values[ObservedMetric::gpu_sm_clock_mhz], 1590);
  EXPECT_TRUE(gpus[0].reading.knows_throttle);
  EXPECT_EQ(gpus[0].reading.throttle, Throttle::power_cap | Throttle::sw_thermal);
}

TEST(GpuReadings, BlankValuesAreNoValues) {
  const auto gpus = gpus_of(dcgm_page);
  const Values& values = gpus[1].reading.values;
  EXPECT_FALSE(values.has(ObservedMetric::gpu_sm_clock_mhz));
  EXPECT_FALSE(values.has(ObservedMetric::gpu_temperature_c));
  EXPECT_FALSE(values.has(ObservedMetric::gpu_power_w));
  EXPECT_FALSE(gpus[1].reading.knows_throttle);
  EXPECT_EQ(values[ObservedMetric::gpu_memory_used_mib], 3);
}

TEST(GpuReadings, PartsOfAGpuStandForThemselves) {
  const auto gpus = gpus_of(
      "DCGM_FI_PROF_GR_ENGINE_ACTIVE{gpu=\"0\",UUID=\"GPU-a\",GPU_I_PROFILE=\"1g.10gb\",GPU_I_ID=\"7\"} 0.25\n"
      "DCGM_FI_PROF_GR_ENGINE_ACTIVE{gpu=\"0\",UUID=\"GPU-a\",GPU_I_PROFILE=\"1g.10gb\",GPU_I_ID=\"8\"} 0.75\n");
  ASSERT_EQ(gpus.size(), 2U);
  EXPECT_EQ(gpus[0].subject.gpu, "0:7");
  EXPECT_EQ(gpus[0].reading.values[ObservedMetric::gpu_utilization], 25);
  EXPECT_EQ(gpus[1].subject.gpu, "0:8");
}

TEST(GpuReadings, OfTriton) {
  const auto gpus = gpus_of(
      "nv_gpu_utilization{gpu_uuid=\"GPU-x\"} 0.93\n"
      "nv_gpu_memory_total_bytes{gpu_uuid=\"GPU-x\"} 25769803776\n"
      "nv_gpu_memory_used_bytes{gpu_uuid=\"GPU-x\"} 12884901888\n"
      "nv_gpu_power_usage{gpu_uuid=\"GPU-x\"} 285.5\n"
      "nv_energy_consumption{gpu_uuid=\"GPU-x\"} 9380.053\n"
      "nv_inference_count{model=\"m\"} 5\n");
  ASSERT_EQ(gpus.size(), 1U);
  EXPECT_EQ(gpus[0].subject.gpu, "0") << "by position where the page has no index";
  EXPECT_EQ(gpus[0].subject.uuid, "GPU-x");
  const Values& values = gpus[0].reading.values;
  EXPECT_EQ(values[ObservedMetric::gpu_utilization], 93);
  EXPECT_EQ(values[ObservedMetric::gpu_memory_used_mib], 12288);
  EXPECT_EQ(values[ObservedMetric::gpu_memory_total_mib], 24576);
  EXPECT_EQ(values[ObservedMetric::gpu_energy_j], 9380.053);
}

TEST(GpuReadings, OfOurOwnPages) {
  const auto gpus = gpus_of(
      "llm_gpu_utilization_percent{gpu=\"0\",uuid=\"GPU-y\",host=\"h\",run=\"r\"} 12\n"
      "llm_gpu_memory_used_bytes{gpu=\"0\",uuid=\"GPU-y\",host=\"h\",run=\"r\"} 1048576\n"
      "llm_gpu_sm_clock_hertz{gpu=\"0\",uuid=\"GPU-y\",host=\"h\",run=\"r\"} 1.755e9\n"
      "llm_gpu_throttled{gpu=\"0\",uuid=\"GPU-y\",host=\"h\",run=\"r\",reason=\"power_cap\"} 0\n"
      "llm_gpu_throttled{gpu=\"0\",uuid=\"GPU-y\",host=\"h\",run=\"r\",reason=\"hw_thermal\"} 1\n");
  ASSERT_EQ(gpus.size(), 1U);
  EXPECT_EQ(gpus[0].reading.values[ObservedMetric::gpu_memory_used_mib], 1);
  EXPECT_EQ(gpus[0].reading.values[ObservedMetric::gpu_sm_clock_mhz], 1755);
  EXPECT_EQ(gpus[0].reading.throttle, Throttle::hw_thermal);
}

TEST(ServerReadings, OfVllm) {
  const auto servers = servers_of(
      "# TYPE vllm:num_requests_running gauge\n"
      "vllm:num_requests_running{engine=\"0\",model_name=\"org/m\"} 3.0\n"
      "vllm:num_requests_running{engine=\"1\",model_name=\"org/m\"} 5.0\n"
      "vllm:num_requests_waiting{engine=\"0\",model_name=\"org/m\"} 2.0\n"
      "vllm:gpu_cache_usage_perc{engine=\"0\",model_name=\"org/m\"} 0.1\n"
      "vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"org/m\"} 0.25\n"
      "vllm:kv_cache_usage_perc{engine=\"1\",model_name=\"org/m\"} 0.75\n"
      "vllm:prefix_cache_queries_total{engine=\"0\",model_name=\"org/m\"} 400.0\n"
      "vllm:prefix_cache_hits_total{engine=\"0\",model_name=\"org/m\"} 100.0\n"
      "vllm:num_preemptions_total{engine=\"0\",model_name=\"org/m\"} 7.0\n"
      "vllm:prompt_tokens_total{engine=\"0\",model_name=\"org/m\"} 1234.0\n"
      "vllm:generation_tokens_total{engine=\"0\",model_name=\"org/m\"} 5678.0\n"
      "vllm:request_success_total{engine=\"0\",finished_reason=\"stop\",model_name=\"org/m\"} 10.0\n"
      "vllm:request_success_total{engine=\"0\",finished_reason=\"length\",model_name=\"org/m\"} 32.0\n"
      "vllm:request_queue_time_seconds_bucket{engine=\"0\",le=\"+Inf\",model_name=\"org/m\"} 42.0\n"
      "vllm:request_queue_time_seconds_sum{engine=\"0\",model_name=\"org/m\"} 1.5\n"
      "vllm:request_queue_time_seconds_count{engine=\"0\",model_name=\"org/m\"} 42.0\n");
  ASSERT_EQ(servers.size(), 1U);
  EXPECT_EQ(servers[0].subject.model, "org/m");
  EXPECT_EQ(servers[0].subject.kind, Subject::Kind::server);
  const Values& values = servers[0].reading.values;
  EXPECT_EQ(values[ObservedMetric::server_running], 8) << "engines are added up";
  EXPECT_EQ(values[ObservedMetric::server_waiting], 2);
  EXPECT_EQ(values[ObservedMetric::server_kv_usage], 0.75) << "the fullest counts, under its newer name";
  EXPECT_EQ(values[ObservedMetric::server_requests_ok], 42);
  EXPECT_EQ(values[ObservedMetric::server_prompt_tokens], 1234);
  EXPECT_EQ(values[ObservedMetric::server_generated_tokens], 5678);
  EXPECT_EQ(values[ObservedMetric::server_prefix_queried_tokens], 400);
  EXPECT_EQ(values[ObservedMetric::server_prefix_hit_tokens], 100);
  EXPECT_EQ(values[ObservedMetric::server_preemptions], 7);
  EXPECT_EQ(values[ObservedMetric::server_queue_time_s], 1.5);
  EXPECT_EQ(values[ObservedMetric::server_queue_time_count], 42);
}

TEST(ServerReadings, OfTgi) {
  const auto servers = servers_of(
      "# TYPE tgi_request_success counter\n"
      "tgi_request_success 44\n\n"
      "# TYPE tgi_request_queue_duration histogram\n"
      "tgi_request_queue_duration_bucket{le=\"+Inf\"} 44\n"
      "tgi_request_queue_duration_sum 0.0123\n"
      "tgi_request_queue_duration_count 44\n\n"
      "# TYPE tgi_queue_size gauge\ntgi_queue_size 7\n\n"
      "# TYPE tgi_batch_current_size gauge\ntgi_batch_current_size 4\n\n"
      "tgi_request_generated_tokens_sum 8123\ntgi_request_input_length_sum 512\n");
  ASSERT_EQ(servers.size(), 1U);
  EXPECT_EQ(servers[0].subject.model, "");
  const Values& values = servers[0].reading.values;
  EXPECT_EQ(values[ObservedMetric::server_running], 4);
  EXPECT_EQ(values[ObservedMetric::server_waiting], 7);
  EXPECT_EQ(values[ObservedMetric::server_requests_ok], 44);
  EXPECT_EQ(values[ObservedMetric::server_generated_tokens], 8123);
  EXPECT_EQ(values[ObservedMetric::server_prompt_tokens], 512);
  EXPECT_EQ(values[ObservedMetric::server_queue_time_s], 0.0123);
  EXPECT_FALSE(values.has(ObservedMetric::server_kv_usage)) << "TGI does not say";
}

TEST(ServerReadings, OfOursByModelAndAsAWhole) {
  const auto servers = servers_of(
      "tgi_request_success 3\n"
      "tgi_queue_size 9\n"
      "refserver_requests_waiting{model=\"qwen2\"} 4\n"
      "refserver_requests_waiting{model=\"llama3\"} 5\n"
      "refserver_kv_usage_ratio{model=\"qwen2\"} 0.5\n");
  ASSERT_EQ(servers.size(), 3U);
  EXPECT_EQ(servers[0].subject.model, "");
  EXPECT_EQ(servers[0].reading.values[ObservedMetric::server_requests_ok], 3);
  EXPECT_FALSE(servers[0].reading.values.has(ObservedMetric::server_waiting)) << "it is known by model";
  EXPECT_EQ(servers[1].subject.model, "llama3");
  EXPECT_EQ(servers[1].reading.values[ObservedMetric::server_waiting], 5);
  EXPECT_EQ(servers[2].reading.values[ObservedMetric::server_kv_usage], 0.5);
}

TEST(Readings, OtherPagesAreRefusedWithTheReason) {
  EXPECT_THAT(gpu_readings("tgi_queue_size 1\n").error(), HasSubstr("no GPU metric"));
  EXPECT_THAT(server_readings("DCGM_FI_DEV_GPU_UTIL{gpu=\"0\"} 1\n").error(), HasSubstr("no metric of TGI, vLLM"));
  EXPECT_THAT(server_readings("").error(), HasSubstr("no metric of TGI, vLLM"));
  EXPECT_THAT(server_readings("<html>404</html>\n").error(), HasSubstr("line 1"));
  EXPECT_THAT(server_readings("tgi_queue_size NaN\n").error(), HasSubstr("no metric")) << "NaN is no value";
}

}  // namespace
}  // namespace loadgen
