// A kernel body as a CUDA kernel, and its launch. Instantiated where the kernels are compiled, declared elsewhere.
#pragma once

#include <cuda_runtime.h>

#include "kernels/cuda/device.hpp"
#include "kernels/cuda/kernel_list.hpp"

namespace kernels::cuda {

/// Whether a kernel waits for those before it somewhere inside; all others do so first of all.
template <class Kernel>
concept WaitsItself = Kernel::kWaitsItself;

template <class Kernel>
__global__ void __launch_bounds__(Kernel::kThreads, Kernel::kMinBlocks)
    run_kernel(const __grid_constant__ typename Kernel::Args args) {
  if constexpr (!WaitsItself<Kernel>) simt::wait_for_earlier_kernels();
  Kernel::run(args);
}

/// Lets a kernel have the shared memory it asks for: needed once per process beyond 48 KiB.
template <class Kernel>
cudaError_t prepare_kernel() {
  if constexpr (Kernel::kSharedBytes <= 48 * 1024) return cudaSuccess;
  return cudaFuncSetAttribute(run_kernel<Kernel>, cudaFuncAttributeMaxDynamicSharedMemorySize, Kernel::kSharedBytes);
}

template <class Kernel>
cudaError_t launch_kernel(unsigned blocks, const void* args, cudaStream_t stream, LaunchOverlap overlap) {
  cudaLaunchAttribute early{};
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(blocks);
  config.blockDim = dim3(Kernel::kThreads);
  config.dynamicSmemBytes = Kernel::kSharedBytes;
  config.stream = stream;
  config.attrs = &early;
  config.numAttrs = overlap == LaunchOverlap::prologues ? 1 : 0;
  return cudaLaunchKernelEx(&config, run_kernel<Kernel>, *static_cast<const typename Kernel::Args*>(args));
}

/// Where a file compiles these kernels (`template`), and where others use them (`extern template`).
#define PLUMBLINE_KERNEL_OF(linkage, ...)                     \
  linkage template cudaError_t prepare_kernel<__VA_ARGS__>(); \
  linkage template cudaError_t launch_kernel<__VA_ARGS__>(unsigned, const void*, cudaStream_t, LaunchOverlap)

/// For every codec's file: all numbers of tokens.
#define PLUMBLINE_MATMUL_KERNELS(linkage, Codec)         \
  PLUMBLINE_KERNEL_OF(linkage, MatmulKernel<Codec, 8>);  \
  PLUMBLINE_KERNEL_OF(linkage, MatmulKernel<Codec, 16>); \
  PLUMBLINE_KERNEL_OF(linkage, MatmulKernel<Codec, 32>); \
  PLUMBLINE_KERNEL_OF(linkage, MatmulKernel<Codec, 64>)
#define PLUMBLINE_DEEP_AND_WIDE_KERNELS(linkage)             \
  PLUMBLINE_KERNEL_OF(linkage, DeepMatmulKernel<8>);         \
  PLUMBLINE_KERNEL_OF(linkage, DeepMatmulKernel<16>);        \
  PLUMBLINE_KERNEL_OF(linkage, WideMatmulKernel<Int4Codec>); \
  PLUMBLINE_KERNEL_OF(linkage, WideMatmulKernel<Int8Codec>)

}  // namespace kernels::cuda
