// The GPU backend: tensor-core products over weights that stay packed, attention over pages, everything in one stream.
// What it computes is the same on the emulator of the tests; what a GPU adds is in device.hpp.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "kernels/backend.hpp"
#include "kernels/cuda/overlap.hpp"

namespace kernels {

namespace cuda {
class Device;
}

/// How a repeated decode step reaches the device.
enum class StepLaunch : std::uint8_t { one_by_one, recorded };

struct CudaOptions {
  /// exact: activations are taken as two halves, 22 bits of each row's greatest. fast: those of quantised matrices as
  /// one half, 11 bits.
  Precision precision = Precision::exact;
  /// Products of quantised matrices with at least so many rows are done by cuBLAS over weights expanded chunk by chunk,
  /// where precision is fast and the library is there; 0: never. Its sums may depend on the number of rows.
  std::size_t library_rows = 0;
  /// Products of quantised matrices with at least so many rows go to blocks of 128 rows (WideMatmulKernel), where
  /// library_rows does not ask for the library; 0: never. A row's result is then not the one it has among fewer, but
  /// the same among any more.
  std::size_t wide_rows = 0;
  /// Attention of sequences with at least so many rows in a step goes to tensor cores; 0: never. A row's result is then
  /// not the one it has in a shorter piece, but the same in any longer one.
  std::size_t tensor_attention_rows = 0;
  /// recorded: a step of single rows that comes again (Backend::repeat) is a graph from its second time on. The same
  /// bits.
  StepLaunch step_launch = StepLaunch::one_by_one;
  /// Of the device that find_cuda_backend finds, where it can. The same bits.
  cuda::LaunchOverlap overlap = cuda::LaunchOverlap::none;
};

/// Head sizes up to 128, every KvType. Device errors are thrown as std::runtime_error.
std::unique_ptr<Backend> make_cuda_backend(std::shared_ptr<cuda::Device> device, std::string_view name,
                                           const CudaOptions& options = {});

/// Whether this build has kernels for GPUs.
bool has_cuda() noexcept;

/// The GPU that the CUDA runtime names first, as the backend "cuda"; nothing where there is none, or where this build
/// has no CUDA.
std::unique_ptr<Backend> find_cuda_backend(const CudaOptions& options = {});

}  // namespace kernels
