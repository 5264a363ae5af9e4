// The device of the backend's tests: host memory, kernels on the emulator.
#pragma once

#include <memory>

namespace kernels::cuda {

class Device;

/// Like a small GPU of `processors`. Fresh memory holds NaNs; the seed shuffles the order of threads and blocks. Its
/// library multiplies in double, where `library` says that there is one.
std::shared_ptr<Device> make_emulated_device(unsigned processors = 3, unsigned seed = 1, bool library = true);

}  // namespace kernels::cuda
