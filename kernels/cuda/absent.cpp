// What a build without a CUDA compiler has of CUDA: nothing.
#include "kernels/cuda/cuda_backend.hpp"
#include "kernels/cuda/device.hpp"

#if !defined(PLUMBLINE_HAS_CUDA)

namespace kernels {

cuda::GpuSearch cuda::search_gpu() {
  return {.device = nullptr, .reason = "this build has no CUDA kernels (configure with PLUMBLINE_CUDA=ON)"};
}

bool has_cuda() noexcept {
  return false;
}

std::unique_ptr<Backend> find_cuda_backend(const CudaOptions&) {
  return nullptr;
}

}  // namespace kernels

#endif
