// The rows of a step on the device, and the attention over them: which block of a grid takes which rows and positions.
#pragma once

#include <compare>
#include <memory>
#include <optional>
#include <vector>

#include "kernels/cuda/memory.hpp"

namespace kernels::cuda {

/// How a step's attention is cut. The result does not depend on it (attend_kernel.hpp).
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

/// The same for PrefillKernel, which takes 64 queries of a KV head.
AttendPlan plan_prefill(const std::vector<SequencePlace>& sequences, std::size_t heads, const KvShape& shape);

/// What a recorded decode step depends on besides its key: sizes of what kernels read.
struct DecodeForm {
  std::uint32_t rows;
  std::uint32_t runs;       ///< room for each row, a power of two
  std::uint32_t table_ids;  ///< room in all tables, a power of two
  std::uint32_t half_dim;

  auto operator<=>(const DecodeForm&) const = default;
};

/// What kernels read of a batch, on the device.
struct BatchArrays {
  const float* cosines;       ///< [rows][half_dim]
  const float* sines;         ///< [rows][half_dim]
  const std::int32_t* block;  ///< [rows]
  const std::int32_t* slot;   ///< [rows]
  const std::int32_t* tables;
  const std::uint32_t* ends;  ///< [rows]: runs
};

/// A decode step in one piece of memory, where a recording finds it.
struct PinnedStep {
  DecodeForm form;
  BatchArrays arrays;
  const AttendItem* items;  ///< [rows][form.runs], or [rows] where that is 1; those of no run have no rows

  /// Words of the whole.
  static std::size_t words(const DecodeForm& form) noexcept;
  static PinnedStep at(const std::uint32_t* words, const DecodeForm& form) noexcept;
};

class CudaBatch final : public PagedBatch {
 public:
  /// Sequences with at least `tensor_rows` rows (0: none) are attended by tensor cores.
  CudaBatch(const std::shared_ptr<Device>& device, std::span<const SequenceRows> sequences,
            std::span<const float> frequencies, const KvShape& shape, std::size_t tensor_rows);
  std::size_t rows() const noexcept override { return rows_; }

  /// Arguments that are of the batch; the rows and the layer are left empty.
  RopeArgs rope_args(const CudaKvCache& cache) const;
  /// Launches attention; `partials` grows as needed.
  void attend(const AttendArgs& args, DeviceArray<float>& partials) const;

  /// The form of a step of single rows; nothing for others, and for steps too large to be worth recording.
  std::optional<DecodeForm> decode_form() const;
  /// The step as PinnedStep has it.
  std::vector<std::uint32_t> packed(const DecodeForm& form) const;
  /// Kernels read `step`, which outlives this, from now on; null: the batch's own arrays.
  void pin(const PinnedStep* step) const noexcept { pinned_ = step; }

 private:
  struct Values {
    std::vector<float> cosines, sines;
    std::vector<std::int32_t> block, slot, tables;
    std::vector<std::uint32_t> ends;
  };
  struct Own {
    DeviceArray<float> cosines, sines;
    DeviceArray<std::int32_t> block, slot, tables;
    DeviceArray<std::uint32_t> ends;
  };
  struct Cut {
    std::size_t heads;
    AttendPlan plan;
    DeviceArray<AttendItem> items;
    AttendPlan prefill;
    DeviceArray<AttendItem> prefill_items;
  };
  void add(const SequenceRows& sequence, std::span<const float> frequencies, bool is_prefill);
  BatchArrays arrays() const;
  const Cut& cut_for(std::size_t heads) const;
  void attend_runs(const AttendArgs& rows, const AttendPlan& plan, std::size_t items,
                   DeviceArray<float>& partials) const;

  std::shared_ptr<Device> device_;
  KvShape shape_;
  std::size_t rows_ = 0;
  std::vector<SequencePlace> sequences_;
  std::vector<SequencePlace> prefills_;  ///< for tensor cores
  Values values_;
  mutable std::optional<Own> own_;  ///< made by the first kernel that reads it
  mutable std::optional<Cut> cut_;  ///< made by the first layer
  mutable const PinnedStep* pinned_ = nullptr;
};

}  // namespace kernels::cuda
