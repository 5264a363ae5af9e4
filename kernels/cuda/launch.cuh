// A kernel body as a CUDA kernel, and its launch. Instantiated where the kernels are compiled, declared elsewhere.
#pragma once

#include <cuda_runtime.h>

#include "kernels/cuda/kernel_list.hpp"

namespace kernels::cuda {

template <class Kernel>
__global__ void __launch_bounds__(Kernel::kThreads, Kernel::kMinBlocks)
    run_kernel(const __grid_constant__ typename Kernel::Args args) {
  Kernel::run(args);
}

/// Lets a kernel have the shared memory it asks for: needed once per process beyond 48 KiB.
template <class Kernel>
cudaError_t prepare_kernel() {
  if constexpr (Kernel::kSharedBytes <= 48 * 1024) return cudaSuccess;
  return cudaFuncSetAttribute(run_kernel<Kernel>, cudaFuncAttributeMaxDynamicSharedMemorySize, Kernel::kSharedBytes);
}

template <class Kernel>
cudaError_t launch_kernel(unsigned blocks, const void* args, cudaStream_t stream) {
  run_kernel<Kernel>
      <<<blocks, Kernel::kThreads, Kernel::kSharedBytes, stream>>>(*static_cast<const typename Kernel::Args*>(args));
  return cudaGetLastError();
}

/// For every codec's file: all numbers of tokens.
#define PLUMBLINE_MATMUL_KERNELS(linkage, Codec)                                                            \
  linkage template cudaError_t prepare_kernel<MatmulKernel<Codec, 8>>();                                    \
  linkage template cudaError_t prepare_kernel<MatmulKernel<Codec, 16>>();                                   \
  linkage template cudaError_t prepare_kernel<MatmulKernel<Codec, 32>>();                                   \
  linkage template cudaError_t prepare_kernel<MatmulKernel<Codec, 64>>();                                   \
  linkage template cudaError_t launch_kernel<MatmulKernel<Codec, 8>>(unsigned, const void*, cudaStream_t);  \
  linkage template cudaError_t launch_kernel<MatmulKernel<Codec, 16>>(unsigned, const void*, cudaStream_t); \
  linkage template cudaError_t launch_kernel<MatmulKernel<Codec, 32>>(unsigned, const void*, cudaStream_t); \
  linkage template cudaError_t launch_kernel<MatmulKernel<Codec, 64>>(unsigned, const void*, cudaStream_t)

}  // namespace kernels::cuda
