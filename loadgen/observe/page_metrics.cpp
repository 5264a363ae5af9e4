// Tables of names first, the two readers after them.
#include "loadgen/observe/page_metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "loadgen/observe/exposition_parser.hpp"

namespace loadgen {
namespace {

using Samples = std::vector<ExpositionSample>;

/// A metric of ours under a foreign name, whose values are multiplied by `scale`.
struct PageName {
  ObservedMetric metric;
  std::string_view name;
  double scale = 1;
};

constexpr double mib = 1.0 / (1024.0 * 1024.0);

// Where two names of one metric are on a page, the first one in a table counts.
constexpr std::array gpu_names = {
    PageName{ObservedMetric::gpu_utilization, "DCGM_FI_DEV_GPU_UTIL"},
    PageName{ObservedMetric::gpu_utilization, "DCGM_FI_PROF_GR_ENGINE_ACTIVE", 100},  // the only one under MIG
    PageName{ObservedMetric::gpu_utilization, "nv_gpu_utilization", 100},
    PageName{ObservedMetric::gpu_utilization, "llm_gpu_utilization_percent"},
    PageName{ObservedMetric::gpu_memory_used_mib, "DCGM_FI_DEV_FB_USED"},
    PageName{ObservedMetric::gpu_memory_used_mib, "nv_gpu_memory_used_bytes", mib},
    PageName{ObservedMetric::gpu_memory_used_mib, "llm_gpu_memory_used_bytes", mib},
    PageName{ObservedMetric::gpu_memory_total_mib, "DCGM_FI_DEV_FB_TOTAL"},
    PageName{ObservedMetric::gpu_memory_total_mib, "nv_gpu_memory_total_bytes", mib},
    PageName{ObservedMetric::gpu_memory_total_mib, "llm_gpu_memory_total_bytes", mib},
    PageName{ObservedMetric::gpu_power_w, "DCGM_FI_DEV_POWER_USAGE"},
    PageName{ObservedMetric::gpu_power_w, "nv_gpu_power_usage"},
    PageName{ObservedMetric::gpu_power_w, "llm_gpu_power_watts"},
    PageName{ObservedMetric::gpu_energy_j, "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", 1e-3},
    PageName{ObservedMetric::gpu_energy_j, "nv_energy_consumption"},
    PageName{ObservedMetric::gpu_energy_j, "llm_gpu_energy_joules_total"},
    PageName{ObservedMetric::gpu_temperature_c, "DCGM_FI_DEV_GPU_TEMP"},
    PageName{ObservedMetric::gpu_temperature_c, "llm_gpu_temperature_celsius"},
    PageName{ObservedMetric::gpu_sm_clock_mhz, "DCGM_FI_DEV_SM_CLOCK"},
    PageName{ObservedMetric::gpu_sm_clock_mhz, "llm_gpu_sm_clock_hertz", 1e-6},
};
constexpr std::array throttle_names = {std::string_view("DCGM_FI_DEV_CLOCKS_EVENT_REASONS"),
                                       std::string_view("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS")};
constexpr std::string_view own_throttle = "llm_gpu_throttled";

constexpr std::array server_names = {
    PageName{ObservedMetric::server_running, "refserver_requests_running"},
    PageName{ObservedMetric::server_running, "vllm:num_requests_running"},
    PageName{ObservedMetric::server_running, "tgi_batch_current_size"},
    PageName{ObservedMetric::server_waiting, "refserver_requests_waiting"},
    PageName{ObservedMetric::server_waiting, "vllm:num_requests_waiting"},
    PageName{ObservedMetric::server_waiting, "tgi_queue_size"},
    PageName{ObservedMetric::server_kv_usage, "refserver_kv_usage_ratio"},
    PageName{ObservedMetric::server_kv_usage, "vllm:kv_cache_usage_perc"},  // 1 is full, whatever the name says
    PageName{ObservedMetric::server_kv_usage, "vllm:gpu_cache_usage_perc"},
    PageName{ObservedMetric::server_requests_ok, "vllm:request_success_total"},
    PageName{ObservedMetric::server_requests_ok, "tgi_request_success"},
    PageName{ObservedMetric::server_prompt_tokens, "refserver_prompt_tokens_total"},
    PageName{ObservedMetric::server_prompt_tokens, "vllm:prompt_tokens_total"},
    PageName{ObservedMetric::server_prompt_tokens, "tgi_request_input_length_sum"},
    PageName{ObservedMetric::server_generated_tokens, "refserver_generated_tokens_total"},
    PageName{ObservedMetric::server_generated_tokens, "vllm:generation_tokens_total"},
    PageName{ObservedMetric::server_generated_tokens, "tgi_request_generated_tokens_sum"},
    PageName{ObservedMetric::server_prefix_queried_tokens, "refserver_prefix_cache_queried_tokens_total"},
    PageName{ObservedMetric::server_prefix_queried_tokens, "vllm:prefix_cache_queries_total"},
    PageName{ObservedMetric::server_prefix_queried_tokens, "vllm:gpu_prefix_cache_queries_total"},
    PageName{ObservedMetric::server_prefix_hit_tokens, "refserver_prefix_cache_hit_tokens_total"},
    PageName{ObservedMetric::server_prefix_hit_tokens, "vllm:prefix_cache_hits_total"},
    PageName{ObservedMetric::server_prefix_hit_tokens, "vllm:gpu_prefix_cache_hits_total"},
    PageName{ObservedMetric::server_preemptions, "refserver_preemptions_total"},
    PageName{ObservedMetric::server_preemptions, "vllm:num_preemptions_total"},
    PageName{ObservedMetric::server_queue_time_s, "vllm:request_queue_time_seconds_sum"},
    PageName{ObservedMetric::server_queue_time_s, "tgi_request_queue_duration_sum"},
    PageName{ObservedMetric::server_queue_time_count, "vllm:request_queue_time_seconds_count"},
    PageName{ObservedMetric::server_queue_time_count, "tgi_request_queue_duration_count"},
};

/// The first name of each metric of a table that the page has.
template <std::size_t size>
std::vector<PageName> names_on(const Samples& samples, const std::array<PageName, size>& names) {
  std::vector<PageName> there;
  for (const PageName& name : names) {
    if (std::any_of(there.begin(), there.end(), [&](const PageName& other) { return other.metric == name.metric; }))
      continue;
    if (std::any_of(samples.begin(), samples.end(), [&](const auto& sample) { return sample.name == name.name; }))
      there.push_back(name);
  }
  return there;
}

/// DCGM marks what it does not know by numbers near the ends of its types; no GPU has values of that size.
bool is_blank(double value) {
  constexpr double dcgm_int32_blank = 2147483632.0, dcgm_int64_blank = 9223372036854775792.0,
                   dcgm_double_blank = 140737488355328.0;
  return !std::isfinite(value) || value >= dcgm_int64_blank || value < 0 ||
         (value >= dcgm_int32_blank && value <= dcgm_int32_blank + 15) ||
         (value >= dcgm_double_blank && value <= dcgm_double_blank + 15);
}

std::string first_label(const ExpositionSample& sample, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names)
    if (const std::string_view value = sample.label(name); !value.empty()) return std::string(value);
  return {};
}

Subject gpu_of(const ExpositionSample& sample) {
  Subject subject;
  subject.kind = Subject::Kind::gpu;
  subject.gpu = first_label(sample, {"gpu"});
  if (const std::string_view part = sample.label("GPU_I_ID"); !part.empty()) (subject.gpu += ':') += part;
  subject.uuid = first_label(sample, {"UUID", "uuid", "gpu_uuid"});
  subject.name = first_label(sample, {"modelName"});
  subject.host = first_label(sample, {"Hostname", "host"});
  return subject;
}

/// The GPUs of a page in the order in which they appear.
class GpuTable {
 public:
  SubjectReading& of(const ExpositionSample& sample) {
    Subject subject = gpu_of(sample);
    const std::string key = subject.host + '\n' + subject.gpu + '\n' + subject.uuid;
    const auto [at, is_new] = places_.try_emplace(key, readings_.size());
    if (is_new) {
      if (subject.gpu.empty()) subject.gpu = std::to_string(readings_.size());
      readings_.push_back({std::move(subject), {}});
    }
    return readings_[at->second];
  }
  std::vector<SubjectReading> take() { return std::move(readings_); }

 private:
  std::map<std::string, std::size_t> places_;
  std::vector<SubjectReading> readings_;
};

void read_throttle(const ExpositionSample& sample, GpuTable& gpus) {
  const bool is_mask = std::find(throttle_names.begin(), throttle_names.end(), sample.name) != throttle_names.end();
  if ((!is_mask && sample.name != own_throttle) || is_blank(sample.value)) return;
  Reading& reading = gpus.of(sample).reading;
  reading.knows_throttle = true;
  if (is_mask && sample.value <= 0xffffffff) {
    reading.throttle |= static_cast<std::uint32_t>(sample.value) & Throttle::any;
  } else if (!is_mask && sample.value > 0) {
    for (const ThrottleReason& reason : throttle_reasons)
      if (sample.label("reason") == reason.name) reading.throttle |= reason.bit;
  }
}

/// Of a device whose page says what is used and what is free, but not the sum.
void add_memory_total(const Samples& samples, GpuTable& gpus) {
  for (const ExpositionSample& sample : samples) {
    if (sample.name != "DCGM_FI_DEV_FB_FREE" || is_blank(sample.value)) continue;
    Values& values = gpus.of(sample).reading.values;
    if (!values.has(ObservedMetric::gpu_memory_total_mib) && values.has(ObservedMetric::gpu_memory_used_mib))
      values.set(ObservedMetric::gpu_memory_total_mib, values[ObservedMetric::gpu_memory_used_mib] + sample.value);
  }
}

/// Adds what several engines of one model say; of the KV caches the fullest counts.
void add_value(Values& values, ObservedMetric metric, double value) {
  if (!values.has(metric)) return values.set(metric, value);
  values.set(metric,
             metric == ObservedMetric::server_kv_usage ? std::max(values[metric], value) : values[metric] + value);
}

}  // namespace

Result<std::vector<SubjectReading>, std::string> gpu_readings(std::string_view page) {
  const auto samples = parse_exposition(page, {"DCGM_FI_", "nv_gpu_", "nv_energy_", "llm_gpu_"});
  if (!samples) return {boost::system::in_place_error, samples.error()};
  const auto names = names_on(*samples, gpu_names);
  GpuTable gpus;
  for (const ExpositionSample& sample : *samples) {
    for (const PageName& name : names)
      if (name.name == sample.name && !is_blank(sample.value))
        gpus.of(sample).reading.values.set(name.metric, sample.value * name.scale);
    read_throttle(sample, gpus);
  }
  add_memory_total(*samples, gpus);
  std::vector<SubjectReading> readings = gpus.take();
  if (readings.empty())
    return {boost::system::in_place_error, "the page has no GPU metric of DCGM, Triton or ours (llm_gpu_...)"};
  return readings;
}

Result<std::vector<SubjectReading>, std::string> server_readings(std::string_view page) {
  const auto samples = parse_exposition(page, {"refserver_", "vllm:", "tgi_"});
  if (!samples) return {boost::system::in_place_error, samples.error()};
  const auto names = names_on(*samples, server_names);
  std::map<std::string, Values> models;
  for (const ExpositionSample& sample : *samples) {
    for (const PageName& name : names) {
      if (name.name != sample.name || !std::isfinite(sample.value)) continue;
      add_value(models[first_label(sample, {"model", "model_name"})], name.metric, sample.value * name.scale);
    }
  }
  if (models.empty())
    return {boost::system::in_place_error, "the page has no metric of TGI, vLLM or refserver that we know"};
  std::vector<SubjectReading> readings;
  for (const auto& [model, values] : models) {
    SubjectReading one;
    one.subject.kind = Subject::Kind::server;
    one.subject.model = model;
    one.reading.values = values;
    readings.push_back(std::move(one));
  }
  return readings;
}

}  // namespace loadgen
