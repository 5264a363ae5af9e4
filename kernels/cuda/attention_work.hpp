// What both attention kernels share: their arguments, which queries a block takes, softmaxes under way, and how a
// position is read from the pages.
#pragma once

#include "kernels/cuda/kv_pages.hpp"
#include "kernels/cuda/row_kernels.hpp"
#include "kernels/cuda/simt.hpp"

namespace kernels::cuda {

inline constexpr unsigned kMaxHeadDim = 128;
inline constexpr unsigned kRunTokens = 256;  ///< positions of one softmax, before merging
inline constexpr unsigned kTileTokens = 32;  ///< positions per barrier: one per lane

/// Rows of one sequence that a block takes together, and which runs of positions.
struct AttendItem {
  std::uint32_t first_row;
  std::uint32_t rows;            ///< 0: nothing to do
  std::uint32_t first_position;  ///< of the first row
  std::uint32_t table;           ///< offset of the sequence's block table
  std::uint32_t first_run;
  std::uint32_t end_run;
};

/// A softmax under way: sum of 2^(score - peak), and of that times the values.
struct RunningSoftmax {
  float peak;
  float total;
};

/// Factors that bring two partial results to a common peak.
struct MergeFactors {
  float mine;
  float theirs;
};
PLUMBLINE_KERNEL MergeFactors merge(RunningSoftmax& into, const RunningSoftmax& other) {
  const float peak = fmaxf(into.peak, other.peak);
  if (peak == -INFINITY) return {1.0F, 0.0F};  // nothing on either side
  const MergeFactors factors{simt::power_of_2(into.peak - peak), simt::power_of_2(other.peak - peak)};
  into.total = simt::fused(into.total, factors.mine, other.total * factors.theirs);
  into.peak = peak;
  return factors;
}
PLUMBLINE_KERNEL float merged(float mine, float theirs, const MergeFactors& factors) {
  return simt::fused(mine, factors.mine, theirs * factors.theirs);
}

struct AttendArgs {
  KvPagesView cache;
  std::uint32_t layer;
  DeviceRows q;
  DeviceRows y;
  const AttendItem* items;
  const std::int32_t* tables;
  std::uint32_t heads;
  std::uint32_t passes;  ///< blocks per item and KV head: query heads of a KV head over 16
  float scale;           ///< log2(e) / sqrt(dim)
  float* partials;       ///< [rows][heads][runs][dim + 2], peak and total last; null: an item has all its runs
  std::uint32_t runs;
};

/// The queries of a block: rows of an item times query heads of one KV head, heads fastest.
struct AttendWork {
  AttendItem item;
  std::uint32_t kv_head;
  std::uint32_t first_head;  ///< query head
  std::uint32_t heads;       ///< of this block
  std::uint32_t queries;     ///< rows * heads
  std::uint32_t end;         ///< positions that any row sees

  PLUMBLINE_KERNEL std::size_t row(unsigned query) const { return item.first_row + query / heads; }
  PLUMBLINE_KERNEL std::size_t head(unsigned query) const { return first_head + query % heads; }
  /// The position of a query: the last that it sees.
  PLUMBLINE_KERNEL std::uint32_t position(unsigned query) const { return item.first_position + query / heads; }
};

/// What a block does whose kernel takes `block_queries` at most.
PLUMBLINE_KERNEL AttendWork find_work(const AttendArgs& args, unsigned block_queries) {
  const std::uint32_t per_kv = args.heads / args.cache.kv_heads;
  const std::uint32_t per_item = args.cache.kv_heads * args.passes;
  const std::uint32_t within = simt::block_index() % per_item;
  const std::uint32_t skipped = within % args.passes * block_queries;
  AttendWork work{};
  work.item = args.items[simt::block_index() / per_item];
  work.kv_head = within / args.passes;
  work.first_head = work.kv_head * per_kv + skipped;
  work.heads = per_kv - skipped < block_queries ? per_kv - skipped : block_queries;
  work.queries = work.item.rows * work.heads;
  work.end = work.item.first_position + work.item.rows;
  return work;
}

/// A query's place in y (or q): element d of its head.
PLUMBLINE_KERNEL float* query_at(const DeviceRows& rows, const AttendWork& work, unsigned query, std::uint32_t dim) {
  return rows.data + work.row(query) * rows.stride + work.head(query) * dim;
}

/// A lane's four dimensions of a token's key or value; zeros beyond the head.
PLUMBLINE_KERNEL void load_four(const KvPagesView& cache, std::size_t token, unsigned lane, float (&to)[4]) {
  ByteScale scale{};
  if (cache.type == KvType::int8) scale = cache.scales[token];
  const std::size_t first = token * cache.dim + lane * 4;
  if (cache.dim % 4 == 0) {
    if (lane * 4 < cache.dim) load_kv4(cache, first, scale, to);
    return;
  }
  PLUMBLINE_UNROLL
  for (unsigned i = 0; i < 4; ++i) {
    if (lane * 4 + i < cache.dim) to[i] = load_kv(cache, first + i, scale);
  }
}

/// A lane's four dimensions of the key and the value at a position.
PLUMBLINE_KERNEL void load_position(const AttendArgs& args, const AttendWork& work, std::uint32_t position,
                                    unsigned lane, float (&key)[4], float (&value)[4]) {
  const KvPagesView& cache = args.cache;
  const auto block = static_cast<std::size_t>(args.tables[work.item.table + position / cache.block_tokens]);
  const std::uint32_t slot = position % cache.block_tokens;
  load_four(cache, cache.token(args.layer, block, work.kv_head, 0, slot), lane, key);
  load_four(cache, cache.token(args.layer, block, work.kv_head, 1, slot), lane, value);
}

}  // namespace kernels::cuda
