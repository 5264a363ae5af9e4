// NVML, loaded while the program runs: present with the NVIDIA driver, absent elsewhere, never linked.
#pragma once

#include <memory>
#include <string>

#include "loadgen/observe/nvml_abi.hpp"
#include "loadgen/result.hpp"

namespace loadgen {

/// The loaded library between nvmlInit and nvmlShutdown. Functions that a driver may lack are null then.
class NvmlLibrary {
 public:
  /// Loads the library that `override_path` names, or, when it is null or empty, libnvidia-ml.so.1 from the system or
  /// from WSL. The error is one line: what was tried, and what to do.
  static Result<std::shared_ptr<const NvmlLibrary>, std::string> open(const char* override_path);

  ~NvmlLibrary();
  NvmlLibrary(const NvmlLibrary&) = delete;
  NvmlLibrary& operator=(const NvmlLibrary&) = delete;

  /// What a code means, in NVML's words, with its number.
  std::string error_text(nvml::Code code) const;
  std::string driver_version() const;  ///< empty: unknown

  // There in every driver that we accept.
  nvml::CountFunction* count = nullptr;
  nvml::HandleFunction* handle = nullptr;
  // Null where the driver lacks them.
  nvml::DeviceTextFunction* name = nullptr;
  nvml::DeviceTextFunction* uuid = nullptr;
  nvml::UtilizationFunction* utilization = nullptr;
  nvml::MemoryFunction* memory = nullptr;
  nvml::MemoryV2Function* memory_v2 = nullptr;
  nvml::UnsignedFunction* power = nullptr;     ///< mW
  nvml::Unsigned64Function* energy = nullptr;  ///< mJ since the driver was loaded
  nvml::TypedUnsignedFunction* temperature = nullptr;
  nvml::TypedUnsignedFunction* clock = nullptr;  ///< MHz
  nvml::Unsigned64Function* throttle = nullptr;  ///< mask
  nvml::ProcessesFunction* processes = nullptr;

 private:
  NvmlLibrary() = default;
  std::string load(const char* path);
  std::string bind();

  void* library_ = nullptr;
  bool is_initialised_ = false;
  std::string path_;
  nvml::InitFunction* init_ = nullptr;
  nvml::InitFunction* shutdown_ = nullptr;
  nvml::ErrorStringFunction* error_string_ = nullptr;
  nvml::TextFunction* driver_version_ = nullptr;
};

}  // namespace loadgen
