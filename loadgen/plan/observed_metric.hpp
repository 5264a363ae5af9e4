// What a machine or a server says of itself during a run, by name: used by gates (plan), observe, summarize and export.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace loadgen {

/// Each is about one GPU or one model of one server. Those up to `server_queue_time_count` are read, the rest computed.
enum class ObservedMetric : std::uint8_t {
  gpu_utilization,         ///< share of time in which some kernel ran, 0..100; says nothing of how full the GPU was
  gpu_memory_used_mib,     ///< of the device, whoever uses it
  gpu_memory_total_mib,    ///< of the device
  gpu_process_memory_mib,  ///< of processes that compute on it, or `used` less a baseline
  gpu_power_w,
  gpu_energy_j,  ///< a total
  gpu_temperature_c,
  gpu_sm_clock_mhz,
  server_running,   ///< requests being computed
  server_waiting,   ///< requests in the server's queue
  server_kv_usage,  ///< share of the KV cache that is held, 0..1
  server_requests_ok,
  server_prompt_tokens,
  server_generated_tokens,
  server_prefix_queried_tokens,
  server_prefix_hit_tokens,
  server_preemptions,
  server_queue_time_s,      ///< summed over requests
  server_queue_time_count,  ///< requests in that sum
  gpu_joules_per_token,     ///< energy of all GPUs in the window / output tokens received in it
  server_queue_time_mean,   ///< ms, over the requests that left the queue in the window
  server_prefix_hit_share,  ///< of the tokens looked up in the window, 0..1
};

inline constexpr std::size_t observed_metric_count = 22;
inline constexpr std::size_t read_metric_count = 19;

enum class ObservedKind : std::uint8_t {
  level,    ///< a gate takes a statistic of its readings, such as max(gpu.memory_used_mib)
  total,    ///< only grows; a gate takes what it grew by in the window
  derived,  ///< one number per run
};

enum class ObservedUnit : std::uint8_t { percent, mebibytes, watts, joules, celsius, megahertz, count, share, time };

struct ObservedMetricInfo {
  std::string_view name;   ///< as in gates and summary.json
  std::string_view field;  ///< of the measurements gpu and llm_server; empty: derived
  ObservedKind kind = ObservedKind::level;
  ObservedUnit unit = ObservedUnit::count;
};

inline constexpr std::array<ObservedMetricInfo, observed_metric_count> observed_metrics = {{
    {"gpu.utilization", "util", ObservedKind::level, ObservedUnit::percent},
    {"gpu.memory_used_mib", "mem_used_mib", ObservedKind::level, ObservedUnit::mebibytes},
    {"gpu.memory_total_mib", "mem_total_mib", ObservedKind::level, ObservedUnit::mebibytes},
    {"gpu.process_memory_mib", "process_mem_mib", ObservedKind::level, ObservedUnit::mebibytes},
    {"gpu.power_w", "power_w", ObservedKind::level, ObservedUnit::watts},
    {"gpu.energy_j", "energy_j", ObservedKind::total, ObservedUnit::joules},
    {"gpu.temperature_c", "temp_c", ObservedKind::level, ObservedUnit::celsius},
    {"gpu.sm_clock_mhz", "sm_clock_mhz", ObservedKind::level, ObservedUnit::megahertz},
    {"server.running", "running", ObservedKind::level, ObservedUnit::count},
    {"server.waiting", "waiting", ObservedKind::level, ObservedUnit::count},
    {"server.kv_usage", "kv_usage", ObservedKind::level, ObservedUnit::share},
    {"server.requests_ok", "requests_ok", ObservedKind::total, ObservedUnit::count},
    {"server.prompt_tokens", "prompt_tokens", ObservedKind::total, ObservedUnit::count},
    {"server.generated_tokens", "generated_tokens", ObservedKind::total, ObservedUnit::count},
    {"server.prefix_queried_tokens", "prefix_queried_tokens", ObservedKind::total, ObservedUnit::count},
    {"server.prefix_hit_tokens", "prefix_hit_tokens", ObservedKind::total, ObservedUnit::count},
    {"server.preemptions", "preemptions", ObservedKind::total, ObservedUnit::count},
    {"server.queue_time_sum_s", "queue_time_sum", ObservedKind::total, ObservedUnit::count},
    {"server.queue_time_count", "queue_time_count", ObservedKind::total, ObservedUnit::count},
    {"gpu.joules_per_token", "", ObservedKind::derived, ObservedUnit::joules},
    {"server.queue_time_mean", "", ObservedKind::derived, ObservedUnit::time},
    {"server.prefix_hit_share", "", ObservedKind::derived, ObservedUnit::share},
}};

constexpr const ObservedMetricInfo& info(ObservedMetric metric) noexcept {
  return observed_metrics[static_cast<std::size_t>(metric)];
}

constexpr std::optional<ObservedMetric> observed_metric_from(std::string_view word) noexcept {
  for (std::size_t i = 0; i < observed_metric_count; ++i) {
    if (observed_metrics[i].name == word) return static_cast<ObservedMetric>(i);
  }
  return std::nullopt;
}

constexpr bool is_about_gpu(ObservedMetric metric) noexcept {
  return info(metric).name.starts_with("gpu.");
}

/// As it follows a number: "%", "MiB", ...; "ms" for times; empty for counts and shares.
constexpr std::string_view label(ObservedUnit unit) noexcept {
  constexpr std::string_view words[] = {"%", "MiB", "W", "J", "C", "MHz", "", "", "ms"};
  return words[static_cast<std::size_t>(unit)];
}

}  // namespace loadgen
