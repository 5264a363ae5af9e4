// The few functions and numbers of cublas_api.h that are used, so that nothing of it is needed to build.
#include "kernels/cuda/cublas.hpp"

#include <dlfcn.h>

#include <climits>
#include <stdexcept>
#include <string>

namespace kernels::cuda {
namespace {

constexpr int kNoTranspose = 0;    // CUBLAS_OP_N
constexpr int kTranspose = 1;      // CUBLAS_OP_T
constexpr int kHalf = 2;           // CUDA_R_16F
constexpr int kFloat = 0;          // CUDA_R_32F
constexpr int kBf16 = 14;          // CUDA_R_16BF
constexpr int kComputeFloat = 68;  // CUBLAS_COMPUTE_32F
constexpr int kDefault = -1;       // CUBLAS_GEMM_DEFAULT

void check(int status, const char* what) {
  if (status != 0)
    throw std::runtime_error(std::string("cuBLAS: ") + what + " failed with status " + std::to_string(status));
}

template <class Function>
Function find(void* library, const char* name) {
  return reinterpret_cast<Function>(dlsym(library, name));
}

}  // namespace

Cublas::~Cublas() {
  if (handle_ != nullptr) destroy_(handle_);
  if (library_ != nullptr) dlclose(library_);
}

bool Cublas::open(void* stream) {
  if (tried_) return handle_ != nullptr;
  tried_ = true;
  for (const char* name : {"libcublas.so.13", "libcublas.so.12", "libcublas.so"}) {
    library_ = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (library_ != nullptr) break;
  }
  if (library_ == nullptr) return false;
  const auto create = find<int (*)(void**)>(library_, "cublasCreate_v2");
  const auto set_stream = find<int (*)(void*, void*)>(library_, "cublasSetStream_v2");
  destroy_ = find<int (*)(void*)>(library_, "cublasDestroy_v2");
  gemm_ = find<Gemm>(library_, "cublasGemmEx");
  if (create == nullptr || set_stream == nullptr || destroy_ == nullptr || gemm_ == nullptr) return false;
  check(create(&handle_), "cublasCreate");
  check(set_stream(handle_, stream), "cublasSetStream");
  return true;
}

bool Cublas::multiply(void* stream, const void* w, const void* x, int type, void* y, int y_type, std::size_t out,
                      std::size_t in, std::size_t rows, std::size_t y_stride) {
  if (!open(stream)) return false;
  if (out > INT_MAX || in > INT_MAX || rows > INT_MAX || y_stride > INT_MAX) {
    throw std::runtime_error("cuBLAS: a dimension beyond 2^31");
  }
  const auto number = [](std::size_t size) { return static_cast<int>(size); };
  const float one = 1;
  const float zero = 0;
  // Column by column, as the library sees memory: Y^T [out][rows] = (W^T [in][out])^T * X^T [in][rows].
  check(gemm_(handle_, kTranspose, kNoTranspose, number(out), number(rows), number(in), &one, w, type, number(in), x,
              type, number(in), &zero, y, y_type, number(y_stride), kComputeFloat, kDefault),
        "cublasGemmEx");
  return true;
}

bool Cublas::product(void* stream, const std::uint16_t* w, const std::uint16_t* x, float* y, std::size_t out,
                     std::size_t in, std::size_t rows, std::size_t y_stride) {
  return multiply(stream, w, x, kHalf, y, kFloat, out, in, rows, y_stride);
}

bool Cublas::product_bf16(void* stream, const std::uint16_t* w, const std::uint16_t* x, std::uint16_t* y,
                          std::size_t out, std::size_t in, std::size_t rows) {
  return multiply(stream, w, x, kBf16, y, kBf16, out, in, rows, out);
}

}  // namespace kernels::cuda
