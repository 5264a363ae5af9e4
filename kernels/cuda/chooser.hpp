// Tokens chosen on the device: what the rows of a step ask for, put together for one launch.
#pragma once

#include <vector>

#include "kernels/cuda/device.hpp"

namespace kernels::cuda {

class Chooser {
 public:
  explicit Chooser(std::shared_ptr<Device> device) : device_(std::move(device)) {}
  /// One choice per row; waits for it. Writes masks and penalties to the logits.
  void choose(const DeviceRows& logits, std::size_t usable, std::span<const SampleRow> rows,
              std::span<SampledId> results);

 private:
  SampleTask add(const SampleRow& row);

  std::shared_ptr<Device> device_;
  std::vector<SampleTask> tasks_;
  std::vector<TokenCount> counts_;
  std::vector<std::int32_t> forbidden_;
  DeviceArray<SampleTask> device_tasks_;
  DeviceArray<TokenCount> device_counts_;
  DeviceArray<std::int32_t> device_forbidden_;
  DeviceArray<SampledId> device_results_;
};

}  // namespace kernels::cuda
