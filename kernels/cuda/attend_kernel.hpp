// Attention over pages in floats: single rows, short prompts, several runs of positions.
//
// A query's result has the same bits whatever is computed beside it, and however a prompt is cut into chunks: positions
// are taken in runs of 256, runs in tiles of 32, each run has its own softmax, and runs are merged in order, be it by
// the block that computed them or by a second kernel.
#pragma once

#include "kernels/cuda/attention_work.hpp"

namespace kernels::cuda {

inline constexpr unsigned kBlockQueries = 16;
inline constexpr unsigned kWarpQueries = 4;

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
  using Work = AttendWork;
  /// Of a lane: all of the warp's queries at dimensions lane, lane + 32, ...
  struct Result {
    RunningSoftmax softmax[kWarpQueries];
    float sums[kWarpQueries][kDims];
  };

  static PLUMBLINE_KERNEL void run(const Args& args) {
    auto* const memory = reinterpret_cast<float*>(simt::shared_memory());
    const Shared shared{memory, memory + kQueryFloats, memory + kQueryFloats + kWeightFloats,
                        memory + kQueryFloats + kWeightFloats + kValueFloats};
    const Work work = find_work(args, kBlockQueries);
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
  static PLUMBLINE_KERNEL void load_queries(const Args& args, const Work& work, const Shared& shared) {
    for (unsigned i = simt::thread_index(); i < kBlockQueries * args.cache.dim; i += kThreads) {
      const unsigned query = i / args.cache.dim;
      const unsigned d = i % args.cache.dim;
      float value = 0;
      if (query < work.queries) value = query_at(args.q, work, query, args.cache.dim)[d] * args.scale;
      shared.queries[d * kBlockQueries + query] = value;
    }
  }
  /// Keys and values of `count` positions as floats; zeros after them, which no weight but 0 meets.
  static PLUMBLINE_KERNEL void load_tile(const Args& args, const Work& work, const Shared& shared, std::uint32_t first,
                                         std::uint32_t count) {
    for (unsigned token = warp(); token < kTileTokens; token += kThreads / simt::kLanes) {
      float key[4] = {};
      float value[4] = {};
      if (token < count) load_position(args, work, first + token, lane(), key, value);
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
      const bool seen = query < work.queries && first + lane() <= work.position(query);
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
      const std::size_t place = work.row(query) * args.heads + work.head(query);
      float* const to = args.partials + (place * args.runs + run) * (args.cache.dim + 2);
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
      float* const y = query_at(args.y, work, query, args.cache.dim);
      PLUMBLINE_UNROLL
      for (unsigned i = 0; i < kDims; ++i) {
        const unsigned d = lane() + i * simt::kLanes;
        if (d < args.cache.dim) y[d] = all.sums[j][i] / all.softmax[j].total;
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
struct MergeKernel : RowKernel {
  using Args = MergeArgs;

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
