// The vectorised CPU backend: GPTQ weights stay at four bits and are expanded in registers. One thread.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/backend.hpp"

namespace kernels {

enum class CpuIsa : std::uint8_t {
  portable,  ///< any CPU
  avx2,      ///< x86-64 with AVX2 and FMA; `available()` says whether this is one
};

std::unique_ptr<Backend> make_cpu_backend(CpuIsa isa);

}  // namespace kernels
