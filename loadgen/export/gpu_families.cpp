#include "loadgen/export/gpu_families.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace loadgen {
namespace {

using exporters::Labels;
using exporters::MetricFamily;

constexpr double bytes_per_mib = 1024.0 * 1024.0;

struct Shown {
  ObservedMetric metric;
  const char* name;
  const char* help;
  double scale = 1;
};
constexpr Shown shown[] = {
    {ObservedMetric::gpu_utilization, "llm_gpu_utilization_percent", "Share of time in which some kernel ran."},
    {ObservedMetric::gpu_memory_used_mib, "llm_gpu_memory_used_bytes", "Memory of the device in use.", bytes_per_mib},
    {ObservedMetric::gpu_memory_total_mib, "llm_gpu_memory_total_bytes", "Memory of the device.", bytes_per_mib},
    {ObservedMetric::gpu_power_w, "llm_gpu_power_watts", "Power drawn."},
    {ObservedMetric::gpu_energy_j, "llm_gpu_energy_joules_total", "Energy drawn, as the GPU counts it."},
    {ObservedMetric::gpu_temperature_c, "llm_gpu_temperature_celsius", "Temperature of the GPU."},
    {ObservedMetric::gpu_sm_clock_mhz, "llm_gpu_sm_clock_hertz", "Clock of the multiprocessors.", 1e6},
};

auto key_of(const Subject& subject) {
  return std::tie(subject.host, subject.gpu, subject.uuid);
}

Labels labels_of(const std::string& run, const Subject& subject) {
  return {{"run", run}, {"host", subject.host}, {"gpu", subject.gpu}, {"uuid", subject.uuid}};
}

}  // namespace

void GpuFamilies::add(const std::string& run, const std::vector<SubjectReading>& readings) {
  run_ = run;
  for (const SubjectReading& one : readings) {
    if (one.subject.kind != Subject::Kind::gpu) continue;
    const auto known = std::find_if(newest_.begin(), newest_.end(), [&](const SubjectReading& other) {
      return key_of(other.subject) == key_of(one.subject);
    });
    if (known == newest_.end()) {
      newest_.push_back(one);
    } else {
      *known = one;
    }
  }
}

void GpuFamilies::append(std::vector<MetricFamily>& out) const {
  for (const Shown& metric : shown) {
    MetricFamily family{metric.name, metric.help, {}};
    for (const auto& [subject, reading] : newest_) {
      if (!reading.values.has(metric.metric)) continue;
      const double value = reading.values[metric.metric] * metric.scale;
      if (info(metric.metric).kind == ObservedKind::total) {
        family.samples.push_back({labels_of(run_, subject), exporters::Counter{value}});
      } else {
        family.samples.push_back({labels_of(run_, subject), exporters::Gauge{value}});
      }
    }
    if (!family.samples.empty()) out.push_back(std::move(family));
  }
  MetricFamily throttled{"llm_gpu_throttled", "Whether the GPU runs below its clock, by reason.", {}};
  for (const auto& [subject, reading] : newest_) {
    if (!reading.knows_throttle) continue;
    for (const ThrottleReason& reason : throttle_reasons) {
      Labels labels = labels_of(run_, subject);
      labels.push_back({"reason", reason.name});
      throttled.samples.push_back(
          {std::move(labels), exporters::Gauge{(reading.throttle & reason.bit) != 0 ? 1.0 : 0.0}});
    }
  }
  if (!throttled.samples.empty()) out.push_back(std::move(throttled));
}

}  // namespace loadgen
