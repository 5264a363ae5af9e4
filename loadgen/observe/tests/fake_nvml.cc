// A library with NVML's symbols and made-up GPUs, for tests. Built three times: whole; with what every driver has alone
// (FAKE_NVML_BARE); and lacking a symbol that is needed (FAKE_NVML_BROKEN). What it says is set through fake_nvml_set()
// or, before nvmlInit_v2, by the variables FAKE_NVML_GPUS, _LOST_AFTER_S, _THROTTLE and _NO_PROCESSES.
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace {

[[maybe_unused]] constexpr int not_supported = 3, driver_not_loaded = 9, gpu_is_lost = 15;

struct State {
  long init_code = 0, gpus = 1, lost_gpu = -1, throttle = 0, no_processes = 0, energy_mj = -1, utilization = 87;
  long lost_after_s = 0;
  double start_s = 0;
} state;

double now_s() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

void read_variable(const char* name, long& value) {
  if (const char* const text = std::getenv(name)) value = std::atol(text);
}

/// Handles are 1 + index: never null.
[[maybe_unused]] long index_of(void* handle) {
  return static_cast<long>(reinterpret_cast<unsigned long>(handle)) - 1;
}

[[maybe_unused]] bool is_lost(void* handle) {
  if (state.lost_after_s > 0 && now_s() - state.start_s > static_cast<double>(state.lost_after_s)) return true;
  return index_of(handle) == state.lost_gpu;
}

}  // namespace

extern "C" {

/// Changes what the library says from now on; -1 for an unknown name.
int fake_nvml_set(const char* name, long value) {
  struct Entry {
    const char* name;
    long State::*value;
  };
  const Entry entries[] = {{"init_code", &State::init_code},       {"gpus", &State::gpus},
                           {"lost_gpu", &State::lost_gpu},         {"throttle", &State::throttle},
                           {"no_processes", &State::no_processes}, {"energy_mj", &State::energy_mj},
                           {"utilization", &State::utilization}};
  for (const Entry& entry : entries) {
    const char *a = entry.name, *b = name;
    while (*a != '\0' && *a == *b) ++a, ++b;
    if (*a == *b) return state.*entry.value = value, 0;
  }
  return -1;
}

int nvmlInit_v2() {
  read_variable("FAKE_NVML_GPUS", state.gpus);
  read_variable("FAKE_NVML_LOST_AFTER_S", state.lost_after_s);
  read_variable("FAKE_NVML_THROTTLE", state.throttle);
  read_variable("FAKE_NVML_NO_PROCESSES", state.no_processes);
  state.start_s = now_s();
  return static_cast<int>(state.init_code);
}
int nvmlShutdown() {
  return 0;
}
const char* nvmlErrorString(int code) {
  return code == driver_not_loaded ? "Driver Not Loaded" : code == gpu_is_lost ? "GPU is lost" : "Unknown Error";
}
#ifndef FAKE_NVML_BROKEN
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = static_cast<unsigned>(state.gpus);
  return 0;
}
#endif
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** handle) {
  *handle = reinterpret_cast<void*>(static_cast<unsigned long>(index) + 1);
  return 0;
}

#ifndef FAKE_NVML_BARE
int nvmlSystemGetDriverVersion(char* text, unsigned size) {
  std::snprintf(text, size, "999.1");
  return 0;
}
int nvmlDeviceGetName(void*, char* text, unsigned size) {
  std::snprintf(text, size, "Fake GPU");
  return 0;
}
int nvmlDeviceGetUUID(void* handle, char* text, unsigned size) {
  std::snprintf(text, size, "GPU-fake-%ld", index_of(handle));
  return 0;
}
int nvmlDeviceGetUtilizationRates(void* handle, unsigned* shares) {
  if (is_lost(handle)) return gpu_is_lost;
  shares[0] = static_cast<unsigned>(state.utilization);
  shares[1] = 40;
  return 0;
}
/// GPU i uses (i + 1) GiB of 8.
int nvmlDeviceGetMemoryInfo(void* handle, unsigned long long* memory) {
  if (is_lost(handle)) return gpu_is_lost;
  memory[0] = 8ULL << 30;
  memory[2] = static_cast<unsigned long long>(index_of(handle) + 1) << 30;
  memory[1] = memory[0] - memory[2];
  return 0;
}
int nvmlDeviceGetPowerUsage(void* handle, unsigned* milliwatts) {
  if (is_lost(handle)) return gpu_is_lost;
  *milliwatts = 200'000;
  return 0;
}
/// As set, or what 200 W make since the start.
int nvmlDeviceGetTotalEnergyConsumption(void* handle, unsigned long long* millijoules) {
  if (is_lost(handle)) return gpu_is_lost;
  *millijoules = state.energy_mj >= 0 ? static_cast<unsigned long long>(state.energy_mj)
                                      : static_cast<unsigned long long>(5e6 + (now_s() - state.start_s) * 200'000);
  return 0;
}
int nvmlDeviceGetTemperature(void* handle, int sensor, unsigned* celsius) {
  if (is_lost(handle)) return gpu_is_lost;
  if (sensor != 0) return not_supported;
  *celsius = 61;
  return 0;
}
int nvmlDeviceGetClockInfo(void* handle, int clock, unsigned* megahertz) {
  if (is_lost(handle)) return gpu_is_lost;
  *megahertz = clock == 1 ? 1755 : 2619;
  return 0;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void* handle, unsigned long long* mask) {
  if (is_lost(handle)) return gpu_is_lost;
  *mask = static_cast<unsigned long long>(state.throttle) | 0x3;  // idle and a set clock: no throttling
  return 0;
}

struct Process {
  unsigned pid;
  unsigned long long used;
  unsigned gpu_instance, compute_instance;
};
/// Two processes with 256 MiB each.
int nvmlDeviceGetComputeRunningProcesses_v3(void* handle, unsigned* count, Process* processes) {
  if (is_lost(handle)) return gpu_is_lost;
  const unsigned long long used = state.no_processes != 0 ? ~0ULL : 256ULL << 20;
  *count = 2;
  processes[0] = {100, used, ~0U, ~0U};
  processes[1] = {200, used, ~0U, ~0U};
  return 0;
}
#endif
}
