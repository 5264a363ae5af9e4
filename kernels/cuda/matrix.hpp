// Weight matrices in device memory, and their products.
#pragma once

#include <memory>
#include <vector>

#include "kernels/backend.hpp"
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/pack.hpp"

namespace kernels::cuda {

/// Tiles for the tensor cores: quantised codes, or halves.
class TileMatrix final : public WeightMatrix {
 public:
  TileMatrix(const std::shared_ptr<Device>& device, std::span<const GptqMatrix> parts, std::span<const float> bias);
  /// [out][in]
  TileMatrix(const std::shared_ptr<Device>& device, std::span<const half_bits> halves, std::size_t in, std::size_t out,
             std::span<const float> bias);
  std::size_t in() const noexcept override { return layout_.in; }
  std::size_t out() const noexcept override { return layout_.out; }
  std::size_t bytes() const noexcept override {
    return words_.bytes() + scales_.bytes() + zeros_.bytes() + order_.bytes() + bias_.bytes();
  }

  /// Sizes only: the vectors are on the device.
  const TileLayout& layout() const noexcept { return layout_; }
  /// Addresses and sizes of the weights; what belongs to a call is left empty.
  MatmulArgs args() const noexcept;
  const std::int32_t* order() const noexcept { return order_.data(); }

 private:
  TileLayout layout_;
  DeviceArray<std::uint32_t> words_;
  DeviceArray<half_bits> scales_;
  DeviceArray<std::uint8_t> zeros_;
  DeviceArray<std::int32_t> order_;
  DeviceArray<float> bias_;
};

/// Plain weights as floats on the device, where halves would not be the same.
class FloatMatrix {
 public:
  FloatMatrix(const std::shared_ptr<Device>& device, const DenseMatrix& weights, std::span<const float> bias);
  const float* weights() const noexcept { return weights_.data(); }
  const float* bias() const noexcept { return bias_.data(); }
  std::size_t bytes() const noexcept { return weights_.bytes() + bias_.bytes(); }

 private:
  DeviceArray<float> weights_;
  DeviceArray<float> bias_;
};

/// Plain weights in host memory, in the owner's or an own copy: a table whose rows are read there, and a matrix on the
/// device from its first product on. An embedding table that is never multiplied takes no device memory.
class HostedMatrix final : public WeightMatrix {
 public:
  HostedMatrix(const std::shared_ptr<Device>& device, const DenseMatrix& weights, std::span<const float> bias);
  std::size_t in() const noexcept override { return weights_.in; }
  std::size_t out() const noexcept override { return weights_.out; }
  std::size_t bytes() const noexcept override;

  const DenseMatrix& weights() const noexcept { return weights_; }
  /// One of the two is not null.
  const TileMatrix* tiles() const;
  const FloatMatrix* floats() const;

 private:
  void move_to_device() const;

  std::shared_ptr<Device> device_;
  std::vector<std::byte> copy_;
  DenseMatrix weights_;
  std::vector<float> bias_;
  mutable std::unique_ptr<TileMatrix> tiles_;
  mutable std::unique_ptr<FloatMatrix> floats_;
};

}  // namespace kernels::cuda
