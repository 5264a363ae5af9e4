// Rotation and writing of keys and values, and attention over pages.
//
// A query's result has the same bits whatever is computed beside it, and however a prompt is cut into chunks: positions
// are taken in runs of 256, runs in tiles of 32, each run has its own softmax, and runs are merged in order, be it by
// the block that computed them or by a second kernel.
#pragma once

#include "kernels/cuda/kv_pages.hpp"
#include "kernels/cuda/row_kernels.hpp"
#include "kernels/cuda/simt.hpp"

namespace kernels::cuda {

inline constexpr unsigned kMaxHeadDim = 128;
inline constexpr unsigned kRunTokens = 256;  ///< positions of one softmax, before merging
inline constexpr unsigned kTileTokens = 32;  ///< positions per barrier: one per lane
inline constexpr unsigned kBlockQueries = 16;
inline constexpr unsigned kWarpQueries = 4;

struct RopeArgs {
  DeviceRows q;
  DeviceRows k;
  DeviceRows v;
  const float* cosines;       ///< [rows][dim / 2]
  const float* sines;         ///< [rows][dim / 2]
  const std::int32_t* block;  ///< [rows]: where each row's token lies
  const std::int32_t* slot;   ///< [rows]
  KvPagesView cache;
  std::uint32_t layer;
  std::uint32_t heads;
};

/// Rotates q and k, writes k and v into the pages. One block per row, one warp per head.
struct RopeKernel {
  using Args = RopeArgs;
  static constexpr unsigned kThreads = kRowThreads;
  static constexpr unsigned kMinBlocks = 1;
  static constexpr unsigned kSharedBytes = 0;

  static PLUMBLINE_KERNEL void run(const Args& args) {
    const unsigned row = simt::block_index();
    const std::uint32_t dim = args.cache.dim;
    const std::uint32_t kv_heads = args.cache.kv_heads;
    for (unsigned unit = simt::thread_index() / simt::kLanes; unit < args.heads + 2 * kv_heads;
         unit += kThreads / simt::kLanes) {
      if (unit < args.heads) {
        rotate(args, row, args.q.data + row * args.q.stride + std::size_t{unit} * dim);
      } else if (unit < args.heads + kv_heads) {
        const unsigned head = unit - args.heads;
        float* const k = args.k.data + row * args.k.stride + std::size_t{head} * dim;
        rotate(args, row, k);
        store(args, row, head, 0, k);
      } else {
        const unsigned head = unit - args.heads - kv_heads;
        store(args, row, head, 1, args.v.data + row * args.v.stride + std::size_t{head} * dim);
      }
    }
  }

 private:
  /// A lane has the pairs lane, lane + 32, ... and what it writes it alone reads again in `store`.
  static PLUMBLINE_KERNEL void rotate(const Args& args, unsigned row, float* head) {
    const std::uint32_t half = args.cache.dim / 2;
    for (std::uint32_t i = simt::thread_index() % simt::kLanes; i < half; i += simt::kLanes) {
      const float cosine = args.cosines[std::size_t{row} * half + i];
      const float sine = args.sines[std::size_t{row} * half + i];
      const float a = head[i];
      const float b = head[half + i];
      head[i] = simt::fused(a, cosine, -(b * sine));
      head[half + i] = simt::fused(b, cosine, a * sine);
    }
  }
  static PLUMBLINE_KERNEL void store(const Args& args, unsigned row, unsigned head, unsigned part, const float* from) {
    const KvPagesView& cache = args.cache;
    const std::size_t token = cache.token(args.layer, static_cast<std::size_t>(args.block[row]), head, part,
                                          static_cast<std::size_t>(args.slot[row]));
    const std::uint32_t half = cache.dim / 2;
    const unsigned lane = simt::thread_index() % simt::kLanes;
    ByteScale scale{};
    if (cache.type == KvType::int8) {
      float greatest = -INFINITY;
      float least_negated = -INFINITY;
      for (std::uint32_t i = lane; i < half; i += simt::kLanes) {
        greatest = fmaxf(greatest, fmaxf(from[i], from[half + i]));
        least_negated = fmaxf(least_negated, fmaxf(-from[i], -from[half + i]));
      }
      greatest = simt::warp_max(greatest);
      const float least = -simt::warp_max(least_negated);
      scale = {least, (greatest - least) / 255.0F};
      if (lane == 0) cache.scales[token] = scale;
    }
    for (std::uint32_t i = lane; i < half; i += simt::kLanes) {
      store_kv(cache, token * cache.dim + i, scale, from[i]);
      store_kv(cache, token * cache.dim + half + i, scale, from[half + i]);
    }
  }
};

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

/// Up to 16 queries (rows x heads of one KV head) against the pages: four warps of four queries. Scores, softmax and
/// sums in floats.
struct AttendKernel {
  using Args = AttendArgs;
  static constexpr unsigned kThreads = kBlockQueries / kWarpQueries * simt::kLanes;
  static constexpr unsigned kMinBlocks = 2;
  static constexpr unsigned kDims = kMaxHeadDim / simt::kLanes;  ///< of a lane, when it sums values
  static constexpr unsigned kKeyStride = kMaxHeadDim + 1;        ///< floats; odd: lanes read down a column
  static constexpr unsigned kKeyFloats = kTileTokens * kKeyStride;
  static constexpr unsigned kValueFloats = kTileTokens * kMaxHeadDim;
  static constexpr unsigned kQueryFloats = kMaxHeadDim * kBlockQueries;
  static constexpr unsigned kWeightFloats = kTileTokens * kBlockQueries;
  static constexpr unsigned kSharedBytes = (kQueryFloats + kWeightFloats + kValueFloats + kKeyFloats) * 4;

  /// [dim][query], [warp][token][query of the warp], [token][dim], [token][dim + 1]
  struct Shared {
    float* queries;
    float* weights;
    float* values;
    float* keys;
  };
  struct Work {
    AttendItem item;
    std::uint32_t kv_head;
    std::uint32_t first_head;  ///< query head
    std::uint32_t heads;       ///< of this block
    std::uint32_t queries;     ///< rows * heads
    std::uint32_t end;         ///< positions that any row sees
  };
  /// Of a lane: all of the warp's queries at dimensions lane, lane + 32, ...
  struct Result {
    RunningSoftmax softmax[kWarpQueries];
    float sums[kWarpQueries][kDims];
  };

  static PLUMBLINE_KERNEL void run(const Args& args) {
    auto* const memory = reinterpret_cast<float*>(simt::shared_memory());
    const Shared shared{memory, memory + kQueryFloats, memory + kQueryFloats + kWeightFloats,
                        memory + kQueryFloats + kWeightFloats + kValueFloats};
    const Work work = find_work(args);
    if (work.item.rows == 0) return;  // the whole block
    load_queries(args, work, shared);
    Result all = empty();
    for (std::uint32_t run = work.item.first_run; run < work.item.end_run; ++run) {
      Result one = empty();
      const std::uint32_t end = umin(work.end, (run + 1) * kRunTokens);
      for (std::uint32_t first = run * kRunTokens; first < end; first += kTileTokens) {
        simt::sync_threads();  // all are done with the tile before; the queries are there
        load_tile(args, work, shared, first, umin(end - first, kTileTokens));
        simt::sync_threads();
        attend(args, work, shared, first, one);
      }
      if (args.partials != nullptr) {
        write_partial(args, work, run, one);
      } else {
        add(all, one);
      }
    }
    if (args.partials == nullptr) write(args, work, all);
  }

 private:
  static PLUMBLINE_KERNEL std::uint32_t umin(std::uint32_t a, std::uint32_t b) { return a < b ? a : b; }
  static PLUMBLINE_KERNEL unsigned lane() { return simt::thread_index() % simt::kLanes; }
  static PLUMBLINE_KERNEL unsigned warp() { return simt::thread_index() / simt::kLanes; }

  static PLUMBLINE_KERNEL Result empty() {
    Result result{};
    PLUMBLINE_UNROLL
    for (unsigned j = 0; j < kWarpQueries; ++j) result.softmax[j].peak = -INFINITY;
    return result;
  }
  static PLUMBLINE_KERNEL Work find_work(const Args& args) {
    const std::uint32_t per_kv = args.heads / args.cache.kv_heads;
    const std::uint32_t per_item = args.cache.kv_heads * args.passes;
    const std::uint32_t within = simt::block_index() % per_item;
    Work work{};
    work.item = args.items[simt::block_index() / per_item];
    work.kv_head = within / args.passes;
    const std::uint32_t skipped = within % args.passes * kBlockQueries;
    work.first_head = work.kv_head * per_kv + skipped;
    work.heads = umin(per_kv - skipped, kBlockQueries);
    work.queries = work.item.rows * work.heads;
    work.end = work.item.first_position + work.item.rows;
    return work;
  }
  static PLUMBLINE_KERNEL void load_queries(const Args& args, const Work& work, const Shared& shared) {
    for (unsigned i = simt::thread_index(); i < kBlockQueries * args.cache.dim; i += kThreads) {
      const unsigned query = i / args.cache.dim;
      const unsigned d = i % args.cache.dim;
      float value = 0;
      if (query < work.queries) {
        const std::size_t row = work.item.first_row + query / work.heads;
        const std::size_t head = work.first_head + query % work.heads;
        value = args.q.data[row * args.q.stride + head * args.cache.dim + d] * args.scale;
      }
      shared.queries[d * kBlockQueries + query] = value;
    }
  }
  /// Keys and values of `count` positions as floats; zeros after them, which no weight but 0 meets.
  static PLUMBLINE_KERNEL void load_tile(const Args& args, const Work& work, const Shared& shared, std::uint32_t first,
                                         std::uint32_t count) {
    const KvPagesView& cache = args.cache;
    const std::int32_t* const table = args.tables + work.item.table;
    for (unsigned token = warp(); token < kTileTokens; token += kThreads / simt::kLanes) {
      float key[4] = {};
      float value[4] = {};
      if (token < count) {
        const std::uint32_t position = first + token;
        const auto block = static_cast<std::size_t>(table[position / cache.block_tokens]);
        const std::uint32_t slot = position % cache.block_tokens;
        load_four(cache, cache.token(args.layer, block, work.kv_head, 0, slot), lane(), key);
        load_four(cache, cache.token(args.layer, block, work.kv_head, 1, slot), lane(), value);
      }
      PLUMBLINE_UNROLL
      for (unsigned i = 0; i < 4; ++i) shared.keys[token * kKeyStride + lane() * 4 + i] = key[i];
      reinterpret_cast<simt::Float4*>(shared.values +
                                      token * kMaxHeadDim)[lane()] = {{value[0], value[1], value[2], value[3]}};
    }
  }

  /// One tile for the warp's queries: a lane has one position for the scores, and four dimensions for the sums.
  static PLUMBLINE_KERNEL void attend(const Args& args, const Work& work, const Shared& shared, std::uint32_t first,
                                      Result& result) {
    if (warp() * kWarpQueries >= work.queries) return;  // the whole warp
    float scores[kWarpQueries] = {};
    for (unsigned d = 0; d < args.cache.dim; ++d) {
      const float key = shared.keys[lane() * kKeyStride + d];
      const auto queries =
          *reinterpret_cast<const simt::Float4*>(shared.queries + d * kBlockQueries + warp() * kWarpQueries);
      PLUMBLINE_UNROLL
      for (unsigned j = 0; j < kWarpQueries; ++j) scores[j] = simt::fused(queries.at[j], key, scores[j]);
    }
    simt::Float4 weights;
    PLUMBLINE_UNROLL
    for (unsigned j = 0; j < kWarpQueries; ++j) {
      const unsigned query = warp() * kWarpQueries + j;
      const std::uint32_t own = work.item.first_position + query / work.heads;
      const bool seen = query < work.queries && first + lane() <= own;
      weights.at[j] = weigh(seen ? scores[j] : -INFINITY, result, j);
    }
    float* const mine = shared.weights + warp() * kTileTokens * kWarpQueries;
    reinterpret_cast<simt::Float4*>(mine)[lane()] = weights;
    simt::sync_warp();
    for (unsigned token = 0; token < kTileTokens; ++token) {
      const simt::Float4 four = reinterpret_cast<const simt::Float4*>(mine)[token];
      PLUMBLINE_UNROLL
      for (unsigned i = 0; i < kDims; ++i) {
        const float value = shared.values[token * kMaxHeadDim + lane() + i * simt::kLanes];
        PLUMBLINE_UNROLL
        for (unsigned j = 0; j < kWarpQueries; ++j) {
          result.sums[j][i] = simt::fused(four.at[j], value, result.sums[j][i]);
        }
      }
    }
  }
  /// The lane's weight of query j, after bringing what there is to the new peak.
  static PLUMBLINE_KERNEL float weigh(float score, Result& result, unsigned j) {
    RunningSoftmax& softmax = result.softmax[j];
    const float peak = fmaxf(softmax.peak, simt::warp_max(score));
    if (peak == -INFINITY) return 0.0F;  // the same in all lanes: the query sees nothing yet
    const float correction = simt::power_of_2(softmax.peak - peak);
    const float weight = simt::power_of_2(score - peak);
    softmax.total = simt::fused(softmax.total, correction, simt::warp_sum(weight));
    softmax.peak = peak;
    PLUMBLINE_UNROLL
    for (unsigned i = 0; i < kDims; ++i) result.sums[j][i] *= correction;
    return weight;
  }

  static PLUMBLINE_KERNEL void add(Result& all, const Result& one) {
    PLUMBLINE_UNROLL
    for (unsigned j = 0; j < kWarpQueries; ++j) {
      const MergeFactors factors = merge(all.softmax[j], one.softmax[j]);
      PLUMBLINE_UNROLL
      for (unsigned i = 0; i < kDims; ++i) all.sums[j][i] = merged(all.sums[j][i], one.sums[j][i], factors);
    }
  }
  static PLUMBLINE_KERNEL void write_partial(const Args& args, const Work& work, std::uint32_t run, const Result& one) {
    PLUMBLINE_UNROLL
    for (unsigned j = 0; j < kWarpQueries; ++j) {
      const unsigned query = warp() * kWarpQueries + j;
      if (query >= work.queries) continue;
      const std::size_t row = work.item.first_row + query / work.heads;
      const std::size_t head = work.first_head + query % work.heads;
      float* const to = args.partials + ((row * args.heads + head) * args.runs + run) * (args.cache.dim + 2);
      PLUMBLINE_UNROLL
      for (unsigned i = 0; i < kDims; ++i) {
        const unsigned d = lane() + i * simt::kLanes;
        if (d < args.cache.dim) to[d] = one.sums[j][i];
      }
      if (lane() == 0) {
        to[args.cache.dim] = one.softmax[j].peak;
        to[args.cache.dim + 1] = one.softmax[j].total;
      }
    }
  }
  static PLUMBLINE_KERNEL void write(const Args& args, const Work& work, const Result& all) {
    PLUMBLINE_UNROLL
    for (unsigned j = 0; j < kWarpQueries; ++j) {
      const unsigned query = warp() * kWarpQueries + j;
      if (query >= work.queries) continue;
      const std::size_t row = work.item.first_row + query / work.heads;
      const std::size_t head = work.first_head + query % work.heads;
      PLUMBLINE_UNROLL
      for (unsigned i = 0; i < kDims; ++i) {
        const unsigned d = lane() + i * simt::kLanes;
        if (d < args.cache.dim) {
          args.y.data[row * args.y.stride + head * args.cache.dim + d] = all.sums[j][i] / all.softmax[j].total;
        }
      }
    }
  }
};

struct MergeArgs {
  const float* partials;      ///< as AttendArgs
  const std::uint32_t* ends;  ///< [rows]: runs that a row has; 0: the row is not from these
  DeviceRows y;
  std::uint32_t heads;
  std::uint32_t dim;
  std::uint32_t runs;
};

/// Merges the runs of a row's head in order: one block per row, one warp per head.
struct MergeKernel {
  using Args = MergeArgs;
  static constexpr unsigned kThreads = kRowThreads;
  static constexpr unsigned kMinBlocks = 1;
  static constexpr unsigned kSharedBytes = 0;

  static PLUMBLINE_KERNEL void run(const Args& args) {
    const std::size_t row = simt::block_index();
    if (args.ends[row] == 0) return;
    for (unsigned head = simt::thread_index() / simt::kLanes; head < args.heads; head += kThreads / simt::kLanes) {
      const float* const from = args.partials + (row * args.heads + head) * args.runs * (args.dim + 2);
      for (unsigned d = simt::thread_index() % simt::kLanes; d < args.dim; d += simt::kLanes) {
        RunningSoftmax all{-INFINITY, 0.0F};
        float sum = 0;
        for (std::uint32_t run = 0; run < args.ends[row]; ++run) {
          const float* const one = from + std::size_t{run} * (args.dim + 2);
          sum = merged(sum, one[d], merge(all, {one[args.dim], one[args.dim + 1]}));
        }
        args.y.data[row * args.y.stride + std::size_t{head} * args.dim + d] = sum / all.total;
      }
    }
  }
};

}  // namespace kernels::cuda
