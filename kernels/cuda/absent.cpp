// What a build without a CUDA compiler has of CUDA: nothing.
#include "kernels/cuda/cuda_backend.hpp"
#include "kernels/cuda/device.hpp"

#if !defined(PLUMBLINE_HAS_CUDA)

namespace kernels {

std::shared_ptr<cuda::Device> cuda::find_gpu() {
  return nullptr;
}

bool has_cuda() noexcept {
  return false;
}

std::unique_ptr<Backend> find_cuda_backend(const CudaOptions&) {
  return nullptr;
}

}  // namespace kernels

#endif
