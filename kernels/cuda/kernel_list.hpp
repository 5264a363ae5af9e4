// Every kernel of the backend, numbered: what a device has to be able to launch.
#pragma once

#include <cstddef>
#include <type_traits>

#include "kernels/cuda/attend_kernel.hpp"
#include "kernels/cuda/matmul_kernel.hpp"
#include "kernels/cuda/pack_kernel.hpp"
#include "kernels/cuda/prefill_kernel.hpp"
#include "kernels/cuda/rope_kernel.hpp"
#include "kernels/cuda/row_kernels.hpp"
#include "kernels/cuda/sample_kernel.hpp"
#include "kernels/cuda/top_k_kernel.hpp"
#include "kernels/cuda/wide_matmul_kernel.hpp"

namespace kernels::cuda {

template <class... Kernels>
struct KernelList {
  static constexpr std::size_t kCount = sizeof...(Kernels);

  /// Place of a kernel in the list.
  template <class Kernel>
  static constexpr std::size_t index() noexcept {
    static_assert((std::is_same_v<Kernel, Kernels> || ...), "a kernel that is not in the list");
    std::size_t found = 0;
    std::size_t at = 0;
    ((std::is_same_v<Kernel, Kernels> ? void(found = at++) : void(++at)), ...);
    return found;
  }
};

using AllKernels = KernelList<
    MatmulKernel<Int4Codec, 8>, MatmulKernel<Int4Codec, 16>, MatmulKernel<Int4Codec, 32>, MatmulKernel<Int4Codec, 64>,
    MatmulKernel<Int8Codec, 8>, MatmulKernel<Int8Codec, 16>, MatmulKernel<Int8Codec, 32>, MatmulKernel<Int8Codec, 64>,
    MatmulKernel<HalfCodec, 8>, MatmulKernel<HalfCodec, 16>, MatmulKernel<HalfCodec, 32>, MatmulKernel<HalfCodec, 64>,
    DeepMatmulKernel<8>, DeepMatmulKernel<16>, WideMatmulKernel<Int4Codec>, WideMatmulKernel<Int8Codec>, PackKernel,
    PackHalvesKernel, DequantKernel, StageKernel, ScaleKernel, NormKernel, SiluKernel, GatherKernel, PlainKernel,
    RepairKernel, RopeKernel, AttendKernel, PrefillKernel, MergeKernel, TopKKernel, SampleKernel>;

}  // namespace kernels::cuda
