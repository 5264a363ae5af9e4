#include "loadgen/observe/nvml_source.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

namespace loadgen {
namespace {

constexpr unsigned most_gpus = 128;
constexpr unsigned most_processes = 256;
constexpr double bytes_per_mib = 1024.0 * 1024.0;

std::string own_host() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

std::string text_of(nvml::DeviceTextFunction* function, nvml::Handle handle) {
  std::array<char, nvml::text_size> text{};
  if (function == nullptr || function(handle, text.data(), nvml::text_size - 1) != nvml::ok) return {};
  return text.data();
}

/// Keeps the first code that says more than "this GPU does not have it".
void note(nvml::Code& worst, nvml::Code code) {
  if (code != nvml::ok && code != nvml::not_supported && worst == nvml::ok) worst = code;
}

}  // namespace

NvmlSource::NvmlSource(std::shared_ptr<const NvmlLibrary> library, std::optional<double> baseline)
    : library_(std::move(library)), given_baseline_mib_(baseline) {}

Result<std::unique_ptr<NvmlSource>, std::string> NvmlSource::open(std::shared_ptr<const NvmlLibrary> library,
                                                                  std::optional<double> memory_baseline_mib) {
  std::unique_ptr<NvmlSource> source(new NvmlSource(std::move(library), memory_baseline_mib));
  if (std::string error = source->find_gpus(); !error.empty()) return {boost::system::in_place_error, std::move(error)};
  return source;
}

/// What is wrong, or empty.
std::string NvmlSource::find_gpus() {
  unsigned count = 0;
  if (const nvml::Code code = library_->count(&count); code != nvml::ok)
    return fmt::format("nvmlDeviceGetCount_v2: {}", library_->error_text(code));
  if (count == 0) return "NVML finds no GPU on this machine";
  if (count > most_gpus) return fmt::format("NVML claims {} GPUs; at most {} can be", count, most_gpus);
  const std::string host = own_host();
  for (unsigned i = 0; i < count; ++i) {
    Gpu gpu;
    if (const nvml::Code code = library_->handle(i, &gpu.handle); code != nvml::ok)
      return fmt::format("GPU {}: {}", i, library_->error_text(code));
    gpu.subject.source = "nvml";
    gpu.subject.gpu = std::to_string(i);
    gpu.subject.host = host;
    gpu.subject.name = text_of(library_->name, gpu.handle);
    gpu.subject.uuid = text_of(library_->uuid, gpu.handle);
    gpu.knows_processes = process_memory_mib(gpu).has_value();
    Values values;
    nvml::Code ignored = nvml::ok;
    gpu.baseline_mib = given_baseline_mib_.value_or(
        read_memory(gpu, values, ignored) ? values[ObservedMetric::gpu_memory_used_mib] : 0);
    gpus_.push_back(std::move(gpu));
  }
  return {};
}

/// The newer call leaves what the driver reserves out of what is used, as nvidia-smi does.
bool NvmlSource::read_memory(const Gpu& gpu, Values& values, nvml::Code& code) const {
  const auto keep = [&](unsigned long long total, unsigned long long used) {
    values.set(ObservedMetric::gpu_memory_total_mib, static_cast<double>(total) / bytes_per_mib);
    values.set(ObservedMetric::gpu_memory_used_mib, static_cast<double>(used) / bytes_per_mib);
    return true;
  };
  if (library_->memory_v2 != nullptr) {
    nvml::MemoryV2 memory;
    memory.version = nvml::memory_v2_version;
    const nvml::Code answer = library_->memory_v2(gpu.handle, &memory);
    if (answer == nvml::ok) return keep(memory.total, memory.used);
    if (answer == nvml::gpu_is_lost) return note(code, answer), false;
  }
  if (library_->memory == nullptr) return false;
  nvml::Memory memory;
  const nvml::Code answer = library_->memory(gpu.handle, &memory);
  note(code, answer);
  return answer == nvml::ok && keep(memory.total, memory.used);
}

/// Of all processes that compute on the GPU; nothing where the driver does not say (WSL, containers, vGPU).
std::optional<double> NvmlSource::process_memory_mib(const Gpu& gpu) const {
  if (library_->processes == nullptr) return std::nullopt;
  unsigned count = most_processes;
  std::vector<nvml::ProcessInfo> found(2 * most_processes);  // some drivers had longer entries
  if (library_->processes(gpu.handle, &count, found.data()) != nvml::ok || count > most_processes) return std::nullopt;
  double sum = 0;
  for (unsigned i = 0; i < count; ++i) {
    if (found[i].used_memory == nvml::not_available) return std::nullopt;
    sum += static_cast<double>(found[i].used_memory);
  }
  return sum / bytes_per_mib;
}

std::optional<Reading> NvmlSource::read_gpu(Gpu& gpu, std::string& error) {
  Reading reading;
  Values& values = reading.values;
  nvml::Code worst = nvml::ok;
  // By reference: the value is there only once the call, another argument, has been made.
  const auto take_unsigned = [&](ObservedMetric metric, nvml::Code code, const unsigned& value, double scale) {
    note(worst, code);
    if (code == nvml::ok) values.set(metric, value * scale);
  };
  unsigned value = 0;
  read_memory(gpu, values, worst);
  if (nvml::Utilization share; library_->utilization != nullptr) {
    const nvml::Code code = library_->utilization(gpu.handle, &share);
    take_unsigned(ObservedMetric::gpu_utilization, code, share.gpu, 1);
  }
  if (library_->power != nullptr)
    take_unsigned(ObservedMetric::gpu_power_w, library_->power(gpu.handle, &value), value, 1e-3);
  if (library_->temperature != nullptr)
    take_unsigned(ObservedMetric::gpu_temperature_c,
                  library_->temperature(gpu.handle, nvml::temperature_of_gpu, &value), value, 1);
  if (library_->clock != nullptr)
    take_unsigned(ObservedMetric::gpu_sm_clock_mhz, library_->clock(gpu.handle, nvml::clock_of_sm, &value), value, 1);
  unsigned long long wide = 0;
  if (library_->energy != nullptr && library_->energy(gpu.handle, &wide) == nvml::ok)
    values.set(ObservedMetric::gpu_energy_j, static_cast<double>(wide) * 1e-3);
  if (library_->throttle != nullptr && library_->throttle(gpu.handle, &wide) == nvml::ok) {
    reading.throttle = static_cast<std::uint32_t>(wide) & Throttle::any;
    reading.knows_throttle = true;
  }
  if (worst != nvml::ok) {
    error = fmt::format("GPU {}: {}", gpu.subject.gpu, library_->error_text(worst));
    if (worst == nvml::gpu_is_lost) return std::nullopt;
  }
  const auto processes = gpu.knows_processes ? process_memory_mib(gpu) : std::nullopt;
  // A container sees no process of others, though they compute: then nothing is known.
  const bool is_blind = processes && *processes == 0 && values[ObservedMetric::gpu_utilization] > 0;
  if (processes && !is_blind) {
    values.set(ObservedMetric::gpu_process_memory_mib, *processes);
  } else if (!gpu.knows_processes && values.has(ObservedMetric::gpu_memory_used_mib)) {
    values.set(ObservedMetric::gpu_process_memory_mib,
               std::max(0.0, values[ObservedMetric::gpu_memory_used_mib] - gpu.baseline_mib));
  }
  return reading;
}

SourceRead NvmlSource::read() {
  SourceRead result;
  for (Gpu& gpu : gpus_) {
    std::string error;
    if (const auto reading = read_gpu(gpu, error)) result.readings.push_back({gpu.subject, *reading});
    if (result.error.empty()) result.error = std::move(error);
  }
  return result;
}

std::vector<std::string> NvmlSource::notes() const {
  std::vector<std::string> notes;
  if (const std::string version = library_->driver_version(); !version.empty()) notes.push_back("driver " + version);
  for (const Gpu& gpu : gpus_) {
    if (gpu.knows_processes) continue;
    notes.push_back(fmt::format(
        "GPU {}: the driver does not say what processes use; process_memory_mib is the device's "
        "use less {:.0f} MiB, {}",
        gpu.subject.gpu, gpu.baseline_mib, given_baseline_mib_ ? "as given" : "what was in use before the load"));
  }
  return notes;
}

}  // namespace loadgen
