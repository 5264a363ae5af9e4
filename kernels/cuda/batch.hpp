// The rows of a step on the device, and the attention over them: which block of a grid takes which rows and positions.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "kernels/cuda/memory.hpp"

namespace kernels::cuda {

/// How a step's attention is cut. The result does not depend on it (attention_kernels.hpp).
struct AttendPlan {
  std::vector<AttendItem> items;
  std::uint32_t passes = 1;  ///< blocks per item and KV head
  std::uint32_t runs = 1;    ///< most of any row
  bool split = false;        ///< every item has one run, and a second kernel merges them
};

struct SequencePlace {
  std::uint32_t first_row;
  std::uint32_t rows;
  std::uint32_t first_position;
  std::uint32_t table;
};

/// Rows of a sequence go together as far as 16 queries of a KV head allow. Runs are spread over blocks where the step
/// would leave processors without work and the partial results stay below 64 MiB.
AttendPlan plan_attention(const std::vector<SequencePlace>& sequences, std::size_t heads, const KvShape& shape,
                          unsigned processors);

class CudaBatch final : public PagedBatch {
 public:
  CudaBatch(const std::shared_ptr<Device>& device, std::span<const SequenceRows> sequences,
            std::span<const float> frequencies, const KvShape& shape);
  std::size_t rows() const noexcept override { return rows_; }

  /// Arguments that are of the batch; the rows and the layer are left empty.
  RopeArgs rope_args(const CudaKvCache& cache) const noexcept;
  /// Launches attention; `partials` grows as needed.
  void attend(const AttendArgs& args, DeviceArray<float>& partials) const;

 private:
  struct Cut {
    std::size_t heads;
    AttendPlan plan;
    DeviceArray<AttendItem> items;
  };
  const Cut& cut_for(std::size_t heads) const;

  std::shared_ptr<Device> device_;
  KvShape shape_;
  std::size_t rows_ = 0;
  std::vector<SequencePlace> sequences_;
  DeviceArray<float> cosines_;
  DeviceArray<float> sines_;
  DeviceArray<std::int32_t> block_;
  DeviceArray<std::int32_t> slot_;
  DeviceArray<std::int32_t> tables_;
  DeviceArray<std::uint32_t> ends_;
  mutable std::optional<Cut> cut_;  ///< made by the first layer
};

}  // namespace kernels::cuda
