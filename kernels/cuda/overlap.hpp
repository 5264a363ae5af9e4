// The choice of how close launches may follow each other.
#pragma once

#include <cstdint>

namespace kernels::cuda {

/// Whether a kernel may begin before the one before it has ended: it then reads its weights and waits for the rest.
/// Only compute capability 9.0 with a driver of CUDA 12.4 or newer does; others launch as ever.
enum class LaunchOverlap : std::uint8_t { none, prologues };

}  // namespace kernels::cuda
