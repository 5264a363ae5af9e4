// Made once per step on the host; every layer uses it.
#include "kernels/cuda/batch.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/host_buffer.hpp"
#include "kernels/rope.hpp"

namespace kernels::cuda {
namespace {

constexpr std::size_t kMaxPartialBytes = std::size_t{64} << 20U;

std::uint32_t runs_of(std::size_t positions) {
  return static_cast<std::uint32_t>((positions + kRunTokens - 1) / kRunTokens);
}

}  // namespace

AttendPlan plan_attention(const std::vector<SequencePlace>& sequences, std::size_t heads, const KvShape& shape,
                          unsigned processors) {
  AttendPlan plan;
  const std::size_t per_kv = heads / shape.kv_heads;
  const std::size_t together = std::max<std::size_t>(kBlockQueries / per_kv, 1);
  plan.passes = static_cast<std::uint32_t>((per_kv + kBlockQueries - 1) / kBlockQueries);
  std::size_t rows = 0;
  for (const SequencePlace& sequence : sequences) {
    rows += sequence.rows;
    for (std::uint32_t row = 0; row < sequence.rows; row += static_cast<std::uint32_t>(together)) {
      const auto count = std::min(static_cast<std::uint32_t>(together), sequence.rows - row);
      const std::uint32_t position = sequence.first_position + row;
      plan.items.push_back(
          {sequence.first_row + row, count, position, sequence.table, 0, runs_of(std::size_t{position} + count)});
      plan.runs = std::max(plan.runs, plan.items.back().end_run);
    }
  }
  const std::size_t blocks = plan.items.size() * shape.kv_heads * plan.passes;
  const std::size_t partial_bytes = rows * heads * plan.runs * (shape.head_dim + 2) * sizeof(float);
  plan.split = plan.runs > 1 && blocks < 2 * std::size_t{processors} && partial_bytes <= kMaxPartialBytes;
  if (!plan.split) return plan;
  std::vector<AttendItem> whole;
  std::swap(whole, plan.items);
  for (const AttendItem& item : whole) {
    for (std::uint32_t run = 0; run < item.end_run; ++run) {
      plan.items.push_back(item);
      plan.items.back().first_run = run;
      plan.items.back().end_run = run + 1;
    }
  }
  return plan;
}

CudaBatch::CudaBatch(const std::shared_ptr<Device>& device, std::span<const SequenceRows> sequences,
                     std::span<const float> frequencies, const KvShape& shape)
    : device_(device), shape_(shape) {
  assert(frequencies.size() == shape.head_dim / 2);
  check_sequences(sequences, shape);
  std::vector<float> cosines, sines;
  std::vector<std::int32_t> block, slot, tables;
  std::vector<std::uint32_t> ends;
  for (const SequenceRows& sequence : sequences) {
    assert(sequence.first_position + sequence.rows <= INT32_MAX);
    sequences_.push_back({static_cast<std::uint32_t>(rows_), static_cast<std::uint32_t>(sequence.rows),
                          static_cast<std::uint32_t>(sequence.first_position),
                          static_cast<std::uint32_t>(tables.size())});
    tables.insert(tables.end(), sequence.blocks.begin(), sequence.blocks.end());
    rows_ += sequence.rows;
    for (std::size_t row = 0; row < sequence.rows; ++row) {
      const std::size_t position = sequence.first_position + row;
      block.push_back(sequence.blocks[position / shape.block_tokens]);
      slot.push_back(static_cast<std::int32_t>(position % shape.block_tokens));
      ends.push_back(runs_of(position + 1));
      for (const float frequency : frequencies) {
        const double angle = rope_angle(position, frequency);
        cosines.push_back(static_cast<float>(std::cos(angle)));
        sines.push_back(static_cast<float>(std::sin(angle)));
      }
    }
  }
  const auto move = [&](const auto& values) {
    using T = typename std::decay_t<decltype(values)>::value_type;
    return DeviceArray<T>(device, std::span<const T>(values));
  };
  cosines_ = move(cosines);
  sines_ = move(sines);
  block_ = move(block);
  slot_ = move(slot);
  tables_ = move(tables);
  ends_ = move(ends);
}

RopeArgs CudaBatch::rope_args(const CudaKvCache& cache) const noexcept {
  RopeArgs args{};
  args.cosines = cosines_.data();
  args.sines = sines_.data();
  args.block = block_.data();
  args.slot = slot_.data();
  args.cache = cache.view();
  return args;
}

const CudaBatch::Cut& CudaBatch::cut_for(std::size_t heads) const {
  if (!cut_ || cut_->heads != heads) {
    AttendPlan plan = plan_attention(sequences_, heads, shape_, device_->processors());
    DeviceArray<AttendItem> items(device_, std::span<const AttendItem>(plan.items));
    cut_.emplace(Cut{heads, std::move(plan), std::move(items)});
  }
  return *cut_;
}

void CudaBatch::attend(const AttendArgs& rows, DeviceArray<float>& partials) const {
  const Cut& cut = cut_for(rows.heads);
  AttendArgs args = rows;
  args.items = cut.items.data();
  args.tables = tables_.data();
  args.passes = cut.plan.passes;
  args.runs = cut.plan.runs;
  args.scale = static_cast<float>(std::numbers::log2e / std::sqrt(static_cast<double>(shape_.head_dim)));
  if (cut.plan.split) {
    partials.reserve(device_, rows_ * rows.heads * args.runs * (shape_.head_dim + 2));
    args.partials = partials.data();
  }
  device_->launch<AttendKernel>(cut.plan.items.size() * shape_.kv_heads * cut.plan.passes, args);
  if (!cut.plan.split) return;
  device_->launch<MergeKernel>(rows_, {.partials = args.partials,
                                       .ends = ends_.data(),
                                       .y = args.y,
                                       .heads = args.heads,
                                       .dim = static_cast<std::uint32_t>(shape_.head_dim),
                                       .runs = args.runs});
}

}  // namespace kernels::cuda
