// Attention of many rows of one sequence on tensor cores: 64 queries (rows times heads of one KV head) against tiles of
// 32 positions. Queries, keys, weights and values go as two halves each, scaled by powers of two so that nothing
// overflows and 22 bits are kept: Qwen2's products of queries and keys need more range and more bits than one half has.
//
// A query's result has the same bits whatever is computed beside it and however a prompt is cut: tiles begin at
// multiples of 32 and are taken in order. They are not those of attend_kernel.hpp, whose sums are cut otherwise.
//
//   a warp: 16 queries          S = Q K^T: 16 x 32, four tiles of 8 positions    O = P V: 16 x dim, tiles of 8 dims
#pragma once

#include "kernels/cuda/attention_work.hpp"
#include "kernels/cuda/fragments.hpp"

namespace kernels::cuda {

inline constexpr unsigned kPrefillQueries = 64;

struct PrefillKernel {
  using Args = AttendArgs;  ///< without partials; `passes`: query heads of a KV head over 64
  static constexpr unsigned kThreads = 128;
  static constexpr unsigned kMinBlocks = 2;
  static constexpr unsigned kWarpRows = 16;
  static constexpr unsigned kTiles = kTileTokens / 8;  ///< of positions
  static constexpr unsigned kDimSteps = kMaxHeadDim / 16;
  static constexpr unsigned kQueryBytes = kPrefillQueries * kMaxHeadDim * 2;
  static constexpr unsigned kTileBytes = kTileTokens * kMaxHeadDim * 2;
  static constexpr unsigned kHalvesBytes = 2 * kQueryBytes + 4 * kTileBytes;
  static constexpr unsigned kSharedBytes = kHalvesBytes + (kPrefillQueries + 2 * kTileTokens) * 4;
  static_assert(kMaxHeadDim == kTileInputs, "rows of halves lie as `swizzled` says");
  static_assert(kSharedBytes <= 99 * 1024, "more than a block may have on compute capability 8.6 and 8.9");

  /// Rows of 128 halves, swizzled; the lower halves of a number lie after all upper ones.
  struct Shared {
    unsigned char* queries;
    unsigned char* keys;
    unsigned char* values;
    float* query_factors;  ///< what a row of scaled halves is multiplied by
    float* key_factors;
    float* value_factors;
  };
  using Work = AttendWork;
  /// Of a lane: rows lane / 4 and 8 further, as c_place says.
  struct Result {
    RunningSoftmax softmax[2];
    float sums[2 * kDimSteps][4];
  };

  static PLUMBLINE_KERNEL void run(const Args& args) {
    unsigned char* const memory = simt::shared_memory();
    auto* const factors = reinterpret_cast<float*>(memory + kHalvesBytes);
    const Shared shared{memory,  memory + 2 * kQueryBytes,  memory + 2 * kQueryBytes + 2 * kTileBytes,
                        factors, factors + kPrefillQueries, factors + kPrefillQueries + kTileTokens};
    const Work work = find_work(args, kPrefillQueries);
    load_queries(args, work, shared);
    Result result{};
    result.softmax[0].peak = result.softmax[1].peak = -INFINITY;
    for (std::uint32_t first = 0; first < work.end; first += kTileTokens) {
      simt::sync_threads();  // all are done with the tile before
      load_tile(args, work, shared, first);
      simt::sync_threads();
      if (warp() * kWarpRows < work.queries) attend(args, work, shared, first, result);
    }
    write(args, work, result);
  }

 private:
  static PLUMBLINE_KERNEL unsigned lane() { return simt::thread_index() % simt::kLanes; }
  static PLUMBLINE_KERNEL unsigned warp() { return simt::thread_index() / simt::kLanes; }

  /// Four numbers of a row that the warp has, as halves; gives the factor that undoes their scale.
  static PLUMBLINE_KERNEL float store_row(unsigned char* rows, unsigned bytes, unsigned row, const float (&four)[4]) {
    float greatest = 0;
    PLUMBLINE_UNROLL
    for (unsigned i = 0; i < 4; ++i) greatest = fmaxf(greatest, fabsf(four[i]));
    const int exponent = row_exponent(simt::warp_max(greatest));
    const float factor = exponent_factor(exponent);
    std::uint32_t upper[2];
    std::uint32_t lower[2];
    PLUMBLINE_UNROLL
    for (unsigned i = 0; i < 2; ++i) split(four[2 * i] * factor, four[2 * i + 1] * factor, upper[i], lower[i]);
    auto* const to = reinterpret_cast<std::uint32_t*>(rows + swizzled(row, lane() / 2) + lane() % 2 * 8);
    to[0] = upper[0];
    to[1] = upper[1];
    to[bytes / 4] = lower[0];
    to[bytes / 4 + 1] = lower[1];
    return exponent_factor(-exponent);
  }
  /// Two numbers as two halves each: the nearest, and the nearest of what is left.
  static PLUMBLINE_KERNEL void split(float a, float b, std::uint32_t& upper, std::uint32_t& lower) {
    const std::uint16_t a_half = simt::float_to_half(a);
    const std::uint16_t b_half = simt::float_to_half(b);
    upper = std::uint32_t{b_half} << 16U | a_half;
    lower = std::uint32_t{simt::float_to_half(b - simt::half_to_float(b_half))} << 16U |
            simt::float_to_half(a - simt::half_to_float(a_half));
  }

  static PLUMBLINE_KERNEL void load_queries(const Args& args, const Work& work, const Shared& shared) {
    for (unsigned i = 0; i < kWarpRows; ++i) {
      const unsigned query = warp() * kWarpRows + i;
      float four[4] = {};
      if (query < work.queries) {
        const float* const q = query_at(args.q, work, query, args.cache.dim);
        PLUMBLINE_UNROLL
        for (unsigned j = 0; j < 4; ++j) {
          if (lane() * 4 + j < args.cache.dim) four[j] = q[lane() * 4 + j] * args.scale;
        }
      }
      const float factor = store_row(shared.queries, kQueryBytes, query, four);
      if (lane() == 0) shared.query_factors[query] = factor;
    }
  }

  /// Keys and values of a tile; zeros after the last position. A warp has eight positions.
  static PLUMBLINE_KERNEL void load_tile(const Args& args, const Work& work, const Shared& shared,
                                         std::uint32_t first) {
    for (unsigned i = 0; i < kTileTokens / (kThreads / simt::kLanes); ++i) {
      const unsigned token = warp() * (kTileTokens / (kThreads / simt::kLanes)) + i;
      float key[4] = {};
      float value[4] = {};
      if (first + token < work.end) load_position(args, work, first + token, lane(), key, value);
      const float key_factor = store_row(shared.keys, kTileBytes, token, key);
      const float value_factor = store_row(shared.values, kTileBytes, token, value);
      if (lane() == 0) {
        shared.key_factors[token] = key_factor;
        shared.value_factors[token] = value_factor;
      }
    }
  }
  static PLUMBLINE_KERNEL void attend(const Args& args, const Work& work, const Shared& shared, std::uint32_t first,
                                      Result& result) {
    float weights[kTiles][4] = {};
    multiply_keys(args, shared, weights);
    float corrections[2];
    float factors[2];
    weigh(work, shared, first, weights, result, corrections, factors);
    std::uint32_t upper[kTiles][2];
    std::uint32_t lower[kTiles][2];
    PLUMBLINE_UNROLL
    for (unsigned tile = 0; tile < kTiles; ++tile) {
      PLUMBLINE_UNROLL
      for (unsigned i = 0; i < 2; ++i) {
        split(weights[tile][2 * i], weights[tile][2 * i + 1], upper[tile][i], lower[tile][i]);
      }
    }
    add_values(args, shared, upper, lower, corrections, factors, result);
  }

  static PLUMBLINE_KERNEL void multiply_keys(const Args& args, const Shared& shared, float (&scores)[kTiles][4]) {
    const unsigned matrix = lane() / 8;
    PLUMBLINE_UNROLL
    for (unsigned step = 0; step < kDimSteps; ++step) {
      if (step * 16 >= args.cache.dim) continue;
      const unsigned char* const query =
          shared.queries + swizzled(warp() * kWarpRows + lane() % 16, step * 2 + lane() / 16);
      std::uint32_t a[4];
      std::uint32_t a_rest[4];
      simt::ldmatrix(a, query);
      simt::ldmatrix(a_rest, query + kQueryBytes);
      PLUMBLINE_UNROLL
      for (unsigned pair = 0; pair < kTiles / 2; ++pair) {
        const unsigned char* const key =
            shared.keys + swizzled(pair * 16 + matrix / 2 * 8 + lane() % 8, step * 2 + matrix % 2);
        std::uint32_t b[4];
        std::uint32_t b_rest[4];
        simt::ldmatrix(b, key);
        simt::ldmatrix(b_rest, key + kTileBytes);
        PLUMBLINE_UNROLL
        for (unsigned j = 0; j < 2; ++j) {
          float(&to)[4] = scores[pair * 2 + j];
          simt::mma(to, a, b[2 * j], b[2 * j + 1]);
          simt::mma(to, a, b_rest[2 * j], b_rest[2 * j + 1]);
          simt::mma(to, a_rest, b[2 * j], b[2 * j + 1]);
        }
      }
    }
  }

  /// Scores become weights times the scale of their values, scaled so that halves hold them; `factors` undo that.
  static PLUMBLINE_KERNEL void weigh(const Work& work, const Shared& shared, std::uint32_t first,
                                     float (&scores)[kTiles][4], Result& result, float (&corrections)[2],
                                     float (&factors)[2]) {
    PLUMBLINE_UNROLL
    for (unsigned half = 0; half < 2; ++half) {
      const unsigned query = warp() * kWarpRows + lane() / 4 + half * 8;
      const float query_factor = shared.query_factors[query];
      const std::uint32_t own = work.position(query);
      float peak = result.softmax[half].peak;
      PLUMBLINE_UNROLL
      for (unsigned i = 0; i < 2 * kTiles; ++i) {
        float& score = scores[i / 2][2 * half + i % 2];
        const unsigned token = i / 2 * 8 + lane() % 4 * 2 + i % 2;
        const bool seen = query < work.queries && first + token <= own;
        score = seen ? score * query_factor * shared.key_factors[token] : -INFINITY;
        peak = fmaxf(peak, score);
      }
      peak = quad_max(peak);
      const bool any = peak != -INFINITY;
      corrections[half] = any ? simt::power_of_2(result.softmax[half].peak - peak) : 1.0F;
      result.softmax[half].peak = peak;
      float total = 0;
      float greatest = 0;
      PLUMBLINE_UNROLL
      for (unsigned i = 0; i < 2 * kTiles; ++i) {
        float& score = scores[i / 2][2 * half + i % 2];
        const float weight = any ? simt::power_of_2(score - peak) : 0.0F;
        total += weight;
        score = weight * shared.value_factors[i / 2 * 8 + lane() % 4 * 2 + i % 2];
        greatest = fmaxf(greatest, score);
      }
      result.softmax[half].total = simt::fused(result.softmax[half].total, corrections[half], quad_sum(total));
      const int exponent = row_exponent(quad_max(greatest));
      factors[half] = exponent_factor(-exponent);
      PLUMBLINE_UNROLL
      for (unsigned i = 0; i < 2 * kTiles; ++i) scores[i / 2][2 * half + i % 2] *= exponent_factor(exponent);
    }
  }
  /// Over the four lanes that have a row, the same bits in each.
  static PLUMBLINE_KERNEL float quad_max(float value) {
    value = fmaxf(value, simt::shuffle(value, lane() ^ 1U));
    return fmaxf(value, simt::shuffle(value, lane() ^ 2U));
  }
  static PLUMBLINE_KERNEL float quad_sum(float value) {
    value += simt::shuffle(value, lane() ^ 1U);
    return value + simt::shuffle(value, lane() ^ 2U);
  }

  /// The sums of weights are C fragments of 8 positions; two of them are an A fragment of 16.
  static PLUMBLINE_KERNEL void add_values(const Args& args, const Shared& shared,
                                          const std::uint32_t (&upper)[kTiles][2],
                                          const std::uint32_t (&lower)[kTiles][2], const float (&corrections)[2],
                                          const float (&factors)[2], Result& result) {
    const unsigned matrix = lane() / 8;
    PLUMBLINE_UNROLL
    for (unsigned step = 0; step < kDimSteps; ++step) {
      if (step * 16 >= args.cache.dim) continue;
      float part[2][4] = {};
      PLUMBLINE_UNROLL
      for (unsigned pair = 0; pair < kTiles / 2; ++pair) {
        const std::uint32_t a[4] = {upper[2 * pair][0], upper[2 * pair][1], upper[2 * pair + 1][0],
                                    upper[2 * pair + 1][1]};
        const std::uint32_t a_rest[4] = {lower[2 * pair][0], lower[2 * pair][1], lower[2 * pair + 1][0],
                                         lower[2 * pair + 1][1]};
        const unsigned char* const value =
            shared.values + swizzled(pair * 16 + matrix % 2 * 8 + lane() % 8, step * 2 + matrix / 2);
        std::uint32_t b[4];
        std::uint32_t b_rest[4];
        simt::ldmatrix_transposed(b, value);
        simt::ldmatrix_transposed(b_rest, value + kTileBytes);
        PLUMBLINE_UNROLL
        for (unsigned j = 0; j < 2; ++j) {
          simt::mma(part[j], a, b[2 * j], b[2 * j + 1]);
          simt::mma(part[j], a, b_rest[2 * j], b_rest[2 * j + 1]);
          simt::mma(part[j], a_rest, b[2 * j], b[2 * j + 1]);
        }
      }
      PLUMBLINE_UNROLL
      for (unsigned j = 0; j < 2; ++j) {
        PLUMBLINE_UNROLL
        for (unsigned i = 0; i < 4; ++i) {
          float& sum = result.sums[2 * step + j][i];
          sum = simt::fused(part[j][i], factors[i / 2], sum * corrections[i / 2]);
        }
      }
    }
  }

  static PLUMBLINE_KERNEL void write(const Args& args, const Work& work, const Result& result) {
    PLUMBLINE_UNROLL
    for (unsigned tile = 0; tile < 2 * kDimSteps; ++tile) {
      PLUMBLINE_UNROLL
      for (unsigned i = 0; i < 4; ++i) {
        const unsigned query = warp() * kWarpRows + lane() / 4 + i / 2 * 8;
        const unsigned d = tile * 8 + lane() % 4 * 2 + i % 2;
        if (query >= work.queries || d >= args.cache.dim) continue;
        query_at(args.y, work, query, args.cache.dim)[d] = result.sums[tile][i] / result.softmax[i / 2].total;
      }
    }
  }
};

}  // namespace kernels::cuda
