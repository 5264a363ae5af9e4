// Ids to the host, their rows to the device, one more product. A few rows of y at a time, so that what is fetched stays
// small.
#include "kernels/cuda/head.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "kernels/int8_rows.hpp"

namespace kernels::cuda {
namespace {

constexpr std::size_t kMostFetched = std::size_t{8} << 20U;  ///< bytes at a time

}  // namespace

Result<std::unique_ptr<const WeightMatrix>, FormatError> HeadMatrix::make(const std::shared_ptr<Device>& device,
                                                                          const DenseMatrix& weights, unsigned bits,
                                                                          const std::string& name) {
  assert(bits == 4 || bits == 8);
  const auto packed = quantise_rows(weights, kHeadGroup, name, bits);
  if (packed.has_error()) return packed.error();
  const auto rounded = make_gptq_matrix(packed->tensors(), kHeadGroup);
  if (rounded.has_error()) return rounded.error();
  return std::unique_ptr<const WeightMatrix>(new HeadMatrix(device, *rounded, weights));
}

void HeadRepair::repair(const HeadMatrix& head, const DeviceRows& x, const DeviceRows& y, std::size_t rows) {
  const std::size_t each = std::min(kRepairedOutputs, head.out());
  values_.reserve(device_, rows * each);
  device_ids_.reserve(device_, rows * each);
  device_->launch<TopKKernel>(rows, {.x = y,
                                     .cols = static_cast<std::uint32_t>(head.out()),
                                     .k = static_cast<std::uint32_t>(each),
                                     .values = values_.data(),
                                     .ids = device_ids_.data()});
  ids_.resize(rows * each);
  device_->copy_out(ids_.data(), device_ids_.data(), ids_.size() * sizeof(std::int32_t));
  const std::size_t row_bytes = each * head.in() * dense_size(head.weights().type);
  const std::size_t step = std::max<std::size_t>(kMostFetched / row_bytes, 1);
  for (std::size_t first = 0; first < rows; first += step) {
    repair_some(head, x, y, first, std::min(step, rows - first), each);
  }
}

void HeadRepair::repair_some(const HeadMatrix& head, const DeviceRows& x, const DeviceRows& y, std::size_t first,
                             std::size_t rows, std::size_t each) {
  const DenseMatrix& weights = head.weights();
  const std::size_t bytes = head.in() * dense_size(weights.type);
  fetched_.resize(rows * each * bytes);
  for (std::size_t i = 0; i < rows * each; ++i) {
    const auto id = static_cast<std::size_t>(ids_[first * each + i]);
    std::memcpy(fetched_.data() + i * bytes, weights.data.data() + id * bytes, bytes);
  }
  device_fetched_.reserve(device_, fetched_.size());
  device_->copy_in(device_fetched_.data(), fetched_.data(), fetched_.size());
  const std::size_t outputs = rows * each;
  device_->launch<RepairKernel>((outputs + RepairKernel::kOutputsPerBlock - 1) / RepairKernel::kOutputsPerBlock,
                                {.x = {x.data + first * x.stride, x.stride},
                                 .y = {y.data + first * y.stride, y.stride},
                                 .weights = device_fetched_.data(),
                                 .ids = device_ids_.data() + first * each,
                                 .type = weights.type,
                                 .in = static_cast<std::uint32_t>(head.in()),
                                 .each = static_cast<std::uint32_t>(each),
                                 .outputs = static_cast<std::uint32_t>(outputs)});
}

}  // namespace kernels::cuda
