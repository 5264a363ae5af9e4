// cuBLAS where the machine has it, opened when first wanted: its kernels take tens of MiB of a GPU that may not need
// them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kernels::cuda {

class Cublas {
 public:
  Cublas() = default;
  ~Cublas();
  Cublas(const Cublas&) = delete;
  Cublas& operator=(const Cublas&) = delete;

  /// See Device::library_product; `stream` is a cudaStream_t. False where there is no library; throws
  /// std::runtime_error where it fails.
  bool product(void* stream, const std::uint16_t* w, const std::uint16_t* x, float* y, std::size_t out, std::size_t in,
               std::size_t rows, std::size_t y_stride);
  /// See Device::library_bf16.
  bool product_bf16(void* stream, const std::uint16_t* w, const std::uint16_t* x, std::uint16_t* y, std::size_t out,
                    std::size_t in, std::size_t rows);

 private:
  /// One product; `y_type` and the type of both others are the library's numbers for them.
  bool multiply(void* stream, const void* w, const void* x, int type, void* y, int y_type, std::size_t out,
                std::size_t in, std::size_t rows, std::size_t y_stride);
  bool open(void* stream);

  using Gemm = int (*)(void*, int, int, int, int, int, const void*, const void*, int, int, const void*, int, int,
                       const void*, void*, int, int, int, int);
  void* library_ = nullptr;
  void* handle_ = nullptr;
  Gemm gemm_ = nullptr;
  int (*destroy_)(void*) = nullptr;
  bool tried_ = false;
};

}  // namespace kernels::cuda
