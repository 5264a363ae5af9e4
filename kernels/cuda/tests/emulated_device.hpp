// The device of the backend's tests: host memory, kernels on the emulator.
#pragma once

#include <cstddef>
#include <memory>

namespace kernels::cuda {

class Device;

/// A small GPU.
struct EmulatedGpu {
  unsigned processors = 3;
  unsigned seed = 1;                        ///< shuffles the order of threads and blocks
  bool has_library = true;                  ///< one that multiplies in double
  std::size_t shared_bytes = 100 * 1024UL;  ///< of a processor
};

/// Fresh memory holds NaNs.
std::shared_ptr<Device> make_emulated_device(const EmulatedGpu& gpu = {});

}  // namespace kernels::cuda
