// An output layer at 4 or 8 bits whose greatest outputs are computed again from the plain weights, which stay in host
// memory.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/matrix.hpp"
#include "kernels/cuda/products.hpp"

namespace kernels::cuda {

class HeadMatrix final : public WeightMatrix {
 public:
  /// As Backend::upload_head.
  static Result<std::unique_ptr<const WeightMatrix>, FormatError> make(const std::shared_ptr<Device>& device,
                                                                       const DenseMatrix& weights, unsigned bits,
                                                                       const std::string& name);

  std::size_t in() const noexcept override { return plain_.in(); }
  std::size_t out() const noexcept override { return plain_.out(); }
  std::size_t bytes() const noexcept override { return codes_.bytes(); }

  const TileMatrix& codes() const noexcept { return codes_; }
  const DenseMatrix& weights() const noexcept { return plain_.weights(); }

 private:
  HeadMatrix(const std::shared_ptr<Device>& device, const GptqMatrix& rounded, const DenseMatrix& weights)
      : codes_(device, {&rounded, 1}, {}), plain_(device, weights, {}) {}

  TileMatrix codes_;
  HostedMatrix plain_;  ///< for its rows; never moved to the device
};

/// Computes the greatest outputs of a head again. Workspaces outlive a call.
class HeadRepair {
 public:
  explicit HeadRepair(std::shared_ptr<Device> device) : device_(std::move(device)) {}
  /// Writes the kRepairedOutputs greatest of each row of y = x * codes. Waits for the product, for the host reads the
  /// rows.
  void repair(const HeadMatrix& head, const DeviceRows& x, const DeviceRows& y, std::size_t rows);

 private:
  void repair_some(const HeadMatrix& head, const DeviceRows& x, const DeviceRows& y, std::size_t first,
                   std::size_t rows, std::size_t each);

  std::shared_ptr<Device> device_;
  std::vector<std::int32_t> ids_;
  std::vector<std::byte> fetched_;
  DeviceArray<float> values_;
  DeviceArray<std::int32_t> device_ids_;
  DeviceArray<std::byte> device_fetched_;
};

}  // namespace kernels::cuda
