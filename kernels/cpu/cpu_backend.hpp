// The vectorised CPU backend: weights stay packed and are expanded in registers, the instruction set is chosen at run
// time, loops are shared by a few threads.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/backend.hpp"

namespace kernels {

enum class CpuIsa : std::uint8_t {
  portable,  ///< any CPU
  avx2,      ///< x86-64 with AVX2, FMA and F16C; `available()` says whether this is one
  avx512,    ///< x86-64 with AVX-512 F, BW, DQ, VL and VNNI
};

/// Starts options.threads - 1 threads where this machine can run it. avx2 and avx512 give the same bits; portable
/// gives the same in products of the fast precision. Throws std::system_error if threads run out.
std::unique_ptr<Backend> make_cpu_backend(CpuIsa isa, const BackendOptions& options = {});

}  // namespace kernels
