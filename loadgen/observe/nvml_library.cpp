#include "loadgen/observe/nvml_library.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>

namespace loadgen {
namespace {

constexpr std::array usual_paths = {"libnvidia-ml.so.1", "/usr/lib/wsl/lib/libnvidia-ml.so.1"};
constexpr const char* advice =
    "install the NVIDIA driver, name the library in LOADGEN_NVML_LIBRARY, or read an exporter with dcgm:URL";

template <class Function>
bool find(void* library, Function*& function, const char* symbol) {
  function = reinterpret_cast<Function*>(::dlsym(library, symbol));
  return function != nullptr;
}

}  // namespace

NvmlLibrary::~NvmlLibrary() {
  if (is_initialised_) shutdown_();
  if (library_ != nullptr) ::dlclose(library_);
}

/// Loads and starts the library; what is wrong, or empty.
std::string NvmlLibrary::load(const char* path) {
  library_ = ::dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library_ == nullptr) {
    const char* const why = ::dlerror();
    return why != nullptr ? why : "cannot be loaded";
  }
  path_ = path;
  if (std::string missing = bind(); !missing.empty())
    return fmt::format("{} is no NVML that can be used: it lacks {}", path, missing);
  const nvml::Code code = init_();
  if (code != nvml::ok) return fmt::format("{}: nvmlInit_v2: {}", path, error_text(code));
  is_initialised_ = true;
  return {};
}

/// Finds every symbol; the name of a needed one that is missing, or empty.
std::string NvmlLibrary::bind() {
  if (!find(library_, init_, "nvmlInit_v2")) return "nvmlInit_v2";
  if (!find(library_, shutdown_, "nvmlShutdown")) return "nvmlShutdown";
  if (!find(library_, error_string_, "nvmlErrorString")) return "nvmlErrorString";
  if (!find(library_, count, "nvmlDeviceGetCount_v2")) return "nvmlDeviceGetCount_v2";
  if (!find(library_, handle, "nvmlDeviceGetHandleByIndex_v2")) return "nvmlDeviceGetHandleByIndex_v2";
  find(library_, driver_version_, "nvmlSystemGetDriverVersion");
  find(library_, name, "nvmlDeviceGetName");
  find(library_, uuid, "nvmlDeviceGetUUID");
  find(library_, utilization, "nvmlDeviceGetUtilizationRates");
  find(library_, memory, "nvmlDeviceGetMemoryInfo");
  find(library_, memory_v2, "nvmlDeviceGetMemoryInfo_v2");
  find(library_, power, "nvmlDeviceGetPowerUsage");
  find(library_, energy, "nvmlDeviceGetTotalEnergyConsumption");
  find(library_, temperature, "nvmlDeviceGetTemperature");
  find(library_, clock, "nvmlDeviceGetClockInfo");
  if (!find(library_, throttle, "nvmlDeviceGetCurrentClocksEventReasons"))
    find(library_, throttle, "nvmlDeviceGetCurrentClocksThrottleReasons");
  find(library_, processes, "nvmlDeviceGetComputeRunningProcesses_v3");
  return {};
}

Result<std::shared_ptr<const NvmlLibrary>, std::string> NvmlLibrary::open(const char* override_path) {
  using Opened = Result<std::shared_ptr<const NvmlLibrary>, std::string>;
  const bool is_named = override_path != nullptr && *override_path != '\0';
  std::string tried;
  for (const char* path : usual_paths) {
    const std::shared_ptr<NvmlLibrary> library(new NvmlLibrary);
    const std::string why = library->load(is_named ? override_path : path);
    if (why.empty()) return Opened(std::shared_ptr<const NvmlLibrary>(library));
    tried += (tried.empty() ? "" : "; ") + why;
    if (is_named || library->library_ != nullptr)
      break;  // what was found and does not work is not looked for elsewhere
  }
  return Opened(boost::system::in_place_error, fmt::format("no NVML: {}; {}", tried, advice));
}

std::string NvmlLibrary::error_text(nvml::Code code) const {
  const char* const words = error_string_(code);
  return fmt::format("{} ({})", words != nullptr ? words : "unknown error", code);
}

std::string NvmlLibrary::driver_version() const {
  std::array<char, nvml::text_size> text{};
  if (driver_version_ == nullptr || driver_version_(text.data(), nvml::text_size - 1) != nvml::ok) return {};
  return text.data();
}

}  // namespace loadgen
