// Products on the device: staging of x, the choice of kernel, and the workspaces that outlive a call.
#pragma once

#include <array>

#include "kernels/cuda/cuda_backend.hpp"
#include "kernels/cuda/matrix.hpp"
#include "kernels/cuda/memory.hpp"

namespace kernels::cuda {

/// Blocks of a product: as many as two per processor and never more than tiles. The same for any number of rows.
Stripes stripes_for(const TileLayout& layout, unsigned processors) noexcept;

class Products {
 public:
  Products(std::shared_ptr<Device> device, const CudaOptions& options);
  void multiply(const TileMatrix& matrix, const DeviceRows& x, const DeviceRows& y, std::size_t rows);
  void multiply(const FloatMatrix& matrix, const HostedMatrix& shape, const DeviceRows& x, const DeviceRows& y,
                std::size_t rows);
  /// Where workspaces are: they move when a product needs more than any before it.
  std::array<const void*, 4> workspaces() const noexcept {
    return {staged_.data(), row_scales_.data(), partials_.data(), arrivals_.data()};
  }

 private:
  void multiply_fused(const TileMatrix& matrix, const DeviceRows& x, const DeviceRows& y, std::size_t rows,
                      std::uint32_t terms);
  void multiply_wide(const TileMatrix& matrix, const DeviceRows& x, const DeviceRows& y, std::size_t rows,
                     std::uint32_t terms);
  bool multiply_by_library(const TileMatrix& matrix, const DeviceRows& x, const DeviceRows& y, std::size_t rows);
  /// Stages rows first .. first + count of x and makes them, and the same rows of y, those of `args`.
  void stage_part(const TileMatrix& matrix, const DeviceRows& x, const DeviceRows& y, std::size_t first,
                  std::size_t count, MatmulArgs& args);
  void stage(const TileMatrix& matrix, const DeviceRows& x, std::size_t rows, std::uint32_t terms);

  std::shared_ptr<Device> device_;
  CudaOptions options_;
  DeviceArray<half_bits> staged_;
  DeviceArray<float> row_scales_;
  DeviceArray<simt::Float4> partials_;
  DeviceArray<std::uint32_t> arrivals_;
  DeviceArray<half_bits> expanded_;  ///< weights on their way to the library
};

}  // namespace kernels::cuda
