// Made once per step on the host; every layer uses it.
#include "kernels/cuda/batch.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numbers>

#include "kernels/host_buffer.hpp"
#include "kernels/rope.hpp"

namespace kernels::cuda {
namespace {

constexpr std::size_t kMaxPartialBytes = std::size_t{64} << 20U;
constexpr std::size_t kMostRecordedRows = 64;
constexpr std::uint32_t kMostRecordedRuns = 32;  ///< 8192 positions

std::uint32_t runs_of(std::size_t positions) {
  return static_cast<std::uint32_t>((positions + kRunTokens - 1) / kRunTokens);
}

/// Rows of a sequence together as far as a block takes their queries.
AttendPlan cut_rows(const std::vector<SequencePlace>& sequences, std::size_t per_kv, unsigned block_queries) {
  AttendPlan plan;
  const std::size_t together = std::max<std::size_t>(block_queries / per_kv, 1);
  plan.passes = static_cast<std::uint32_t>((per_kv + block_queries - 1) / block_queries);
  for (const SequencePlace& sequence : sequences) {
    for (std::uint32_t row = 0; row < sequence.rows; row += static_cast<std::uint32_t>(together)) {
      const auto count = std::min(static_cast<std::uint32_t>(together), sequence.rows - row);
      const std::uint32_t position = sequence.first_position + row;
      plan.items.push_back(
          {sequence.first_row + row, count, position, sequence.table, 0, runs_of(std::size_t{position} + count)});
      plan.runs = std::max(plan.runs, plan.items.back().end_run);
    }
  }
  return plan;
}

}  // namespace

AttendPlan plan_prefill(const std::vector<SequencePlace>& sequences, std::size_t heads, const KvShape& shape) {
  return cut_rows(sequences, heads / shape.kv_heads, kPrefillQueries);
}

AttendPlan plan_attention(const std::vector<SequencePlace>& sequences, std::size_t heads, const KvShape& shape,
                          unsigned processors) {
  AttendPlan plan = cut_rows(sequences, heads / shape.kv_heads, kBlockQueries);
  std::size_t rows = 0;
  for (const SequencePlace& sequence : sequences) rows += sequence.rows;
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

std::size_t PinnedStep::words(const DecodeForm& form) noexcept {
  const std::size_t rows = form.rows;
  return rows * (2 * form.half_dim + 3) + form.table_ids + rows * form.runs * sizeof(AttendItem) / 4;
}

PinnedStep PinnedStep::at(const std::uint32_t* words, const DecodeForm& form) noexcept {
  const std::size_t angles = std::size_t{form.rows} * form.half_dim;
  const auto* const floats = reinterpret_cast<const float*>(words);
  const auto* const ints = reinterpret_cast<const std::int32_t*>(words) + 2 * angles;
  const std::int32_t* const tables = ints + 3 * std::size_t{form.rows};
  return {form,
          {floats, floats + angles, ints, ints + form.rows, tables,
           reinterpret_cast<const std::uint32_t*>(ints) + 2 * std::size_t{form.rows}},
          reinterpret_cast<const AttendItem*>(tables + form.table_ids)};
}

CudaBatch::CudaBatch(const std::shared_ptr<Device>& device, std::span<const SequenceRows> sequences,
                     std::span<const float> frequencies, const KvShape& shape, std::size_t tensor_rows)
    : device_(device), shape_(shape) {
  assert(frequencies.size() == shape.head_dim / 2);
  check_sequences(sequences, shape);
  for (const SequenceRows& sequence : sequences) {
    add(sequence, frequencies, tensor_rows > 0 && sequence.rows >= tensor_rows);
  }
}

void CudaBatch::add(const SequenceRows& sequence, std::span<const float> frequencies, bool is_prefill) {
  assert(sequence.first_position + sequence.rows <= INT32_MAX);
  (is_prefill ? prefills_ : sequences_)
      .push_back({static_cast<std::uint32_t>(rows_), static_cast<std::uint32_t>(sequence.rows),
                  static_cast<std::uint32_t>(sequence.first_position),
                  static_cast<std::uint32_t>(values_.tables.size())});
  values_.tables.insert(values_.tables.end(), sequence.blocks.begin(), sequence.blocks.end());
  rows_ += sequence.rows;
  for (std::size_t row = 0; row < sequence.rows; ++row) {
    const std::size_t position = sequence.first_position + row;
    values_.block.push_back(sequence.blocks[position / shape_.block_tokens]);
    values_.slot.push_back(static_cast<std::int32_t>(position % shape_.block_tokens));
    values_.ends.push_back(is_prefill ? 0 : runs_of(position + 1));
    for (const float frequency : frequencies) {
      const double angle = rope_angle(position, frequency);
      values_.cosines.push_back(static_cast<float>(std::cos(angle)));
      values_.sines.push_back(static_cast<float>(std::sin(angle)));
    }
  }
}

BatchArrays CudaBatch::arrays() const {
  if (pinned_ != nullptr) return pinned_->arrays;
  if (!own_) {
    const auto move = [&](const auto& values) {
      using T = typename std::decay_t<decltype(values)>::value_type;
      return DeviceArray<T>(device_, std::span<const T>(values));
    };
    own_.emplace(Own{move(values_.cosines), move(values_.sines), move(values_.block), move(values_.slot),
                     move(values_.tables), move(values_.ends)});
  }
  return {own_->cosines.data(), own_->sines.data(),  own_->block.data(),
          own_->slot.data(),    own_->tables.data(), own_->ends.data()};
}

RopeArgs CudaBatch::rope_args(const CudaKvCache& cache) const {
  const BatchArrays arrays = this->arrays();
  RopeArgs args{};
  args.cosines = arrays.cosines;
  args.sines = arrays.sines;
  args.block = arrays.block;
  args.slot = arrays.slot;
  args.cache = cache.view();
  return args;
}

std::optional<DecodeForm> CudaBatch::decode_form() const {
  const bool single =
      prefills_.empty() && std::ranges::all_of(sequences_, [](const auto& one) { return one.rows == 1; });
  if (!single || rows_ == 0 || rows_ > kMostRecordedRows) return std::nullopt;
  const std::uint32_t runs = std::bit_ceil(*std::ranges::max_element(values_.ends));
  if (runs > kMostRecordedRuns) return std::nullopt;
  return DecodeForm{static_cast<std::uint32_t>(rows_), runs,
                    std::bit_ceil(static_cast<std::uint32_t>(values_.tables.size())),
                    static_cast<std::uint32_t>(shape_.head_dim / 2)};
}

std::vector<std::uint32_t> CudaBatch::packed(const DecodeForm& form) const {
  std::vector<AttendItem> items;
  for (const SequencePlace& sequence : sequences_) {
    const std::uint32_t end = values_.ends[sequence.first_row];
    for (std::uint32_t run = 0; run < form.runs; ++run) {
      items.push_back({sequence.first_row, run < end ? 1U : 0U, sequence.first_position, sequence.table, run, run + 1});
    }
  }
  std::vector<std::uint32_t> words(PinnedStep::words(form));
  std::uint32_t* to = words.data();
  const auto put = [&to](const auto& values, std::size_t room) {
    std::memcpy(to, values.data(), values.size() * sizeof(values[0]));
    to += room;
  };
  put(values_.cosines, values_.cosines.size());
  put(values_.sines, values_.sines.size());
  put(values_.block, form.rows);
  put(values_.slot, form.rows);
  put(values_.ends, form.rows);
  put(values_.tables, form.table_ids);
  put(items, items.size() * sizeof(AttendItem) / 4);
  return words;
}

const CudaBatch::Cut& CudaBatch::cut_for(std::size_t heads) const {
  if (!cut_ || cut_->heads != heads) {
    AttendPlan plan = plan_attention(sequences_, heads, shape_, device_->processors());
    AttendPlan prefill = plan_prefill(prefills_, heads, shape_);
    DeviceArray<AttendItem> items(device_, std::span<const AttendItem>(plan.items));
    DeviceArray<AttendItem> prefill_items(device_, std::span<const AttendItem>(prefill.items));
    cut_.emplace(Cut{heads, std::move(plan), std::move(items), std::move(prefill), std::move(prefill_items)});
  }
  return *cut_;
}

void CudaBatch::attend(const AttendArgs& rows, DeviceArray<float>& partials) const {
  AttendArgs args = rows;
  args.tables = arrays().tables;
  args.scale = static_cast<float>(std::numbers::log2e / std::sqrt(static_cast<double>(shape_.head_dim)));
  if (pinned_ != nullptr) {
    AttendPlan plan = cut_rows({}, rows.heads / shape_.kv_heads, kBlockQueries);
    plan.runs = pinned_->form.runs;
    plan.split = plan.runs > 1;
    args.items = pinned_->items;
    return attend_runs(args, plan, rows_ * plan.runs, partials);
  }
  const Cut& cut = cut_for(rows.heads);
  args.items = cut.items.data();
  attend_runs(args, cut.plan, cut.plan.items.size(), partials);
  args.items = cut.prefill_items.data();
  args.passes = cut.prefill.passes;
  device_->launch<PrefillKernel>(cut.prefill.items.size() * shape_.kv_heads * cut.prefill.passes, args);
}

void CudaBatch::attend_runs(const AttendArgs& rows, const AttendPlan& plan, std::size_t items,
                            DeviceArray<float>& partials) const {
  AttendArgs args = rows;
  args.passes = plan.passes;
  args.runs = plan.runs;
  if (plan.split) {
    partials.reserve(device_, rows_ * rows.heads * args.runs * (shape_.head_dim + 2));
    args.partials = partials.data();
  }
  device_->launch<AttendKernel>(items * shape_.kv_heads * plan.passes, args);
  if (!plan.split) return;
  device_->launch<MergeKernel>(rows_, {.partials = args.partials,
                                       .ends = arrays().ends,
                                       .y = args.y,
                                       .heads = args.heads,
                                       .dim = static_cast<std::uint32_t>(shape_.head_dim),
                                       .runs = args.runs});
}

}  // namespace kernels::cuda
