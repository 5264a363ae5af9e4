// The GPUs of this machine, read through NVML.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loadgen/observe/nvml_library.hpp"
#include "loadgen/observe/reading.hpp"

namespace loadgen {

/// Every value is optional: what a driver or a GPU does not give is left out of the readings and said in notes().
class NvmlSource final : public Source {
 public:
  /// Finds the GPUs. `memory_baseline_mib` is the memory in use without the server; absent, what is in use now.
  /// The error is one line.
  static Result<std::unique_ptr<NvmlSource>, std::string> open(std::shared_ptr<const NvmlLibrary> library,
                                                               std::optional<double> memory_baseline_mib);

  /// One reading per GPU; a GPU that is lost gives none and an error, the others go on.
  SourceRead read() override;

  std::vector<std::string> notes() const;

 private:
  struct Gpu {
    nvml::Handle handle = nullptr;
    Subject subject;
    double baseline_mib = 0;
    bool knows_processes = true;  ///< the driver says what each process uses
  };

  NvmlSource(std::shared_ptr<const NvmlLibrary> library, std::optional<double> baseline);
  std::string find_gpus();
  std::optional<Reading> read_gpu(Gpu& gpu, std::string& error);
  bool read_memory(const Gpu& gpu, Values& values, nvml::Code& code) const;
  std::optional<double> process_memory_mib(const Gpu& gpu) const;

  std::shared_ptr<const NvmlLibrary> library_;
  std::optional<double> given_baseline_mib_;
  std::vector<Gpu> gpus_;
};

}  // namespace loadgen
