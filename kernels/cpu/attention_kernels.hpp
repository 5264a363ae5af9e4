// Attention of a few queries over pages, 16 positions at a time with a running softmax, for the instruction set of the
// including file.
//
// Why batches do not change bits: positions are taken in sixteens counted from 0, whatever the query's own position, so
// a query does the same additions in the same order alone and beside others.
#pragma once

#include "kernels/cpu/kernel_table.hpp"
#include "kernels/cpu/row_kernels.hpp"
#include "kernels/cpu/simd.hpp"

namespace kernels::PLUMBLINE_SIMD {

template <class T>
PLUMBLINE_INLINE F32 load_page(const T* p) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return load(p);
  } else {
    return load_bf16(p);
  }
}

/// scores[i] = q[i] · key over 16 positions, for N queries: two chains, even and odd elements. `keys` is [dim][16].
template <class T, std::size_t N>
PLUMBLINE_INLINE void score(const T* keys, const float* const* q, std::size_t dim, float scale, F32* scores) {
  F32 even[N], odd[N];
  for (std::size_t i = 0; i < N; ++i) even[i] = odd[i] = zero();
  for (std::size_t d = 0; d < dim; d += 2) {  // dim is even
    const F32 first = load_page(keys + d * kLaneCount);
    const F32 second = load_page(keys + (d + 1) * kLaneCount);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < N; ++i) {
      even[i] = fma(set(q[i][d]), first, even[i]);
      odd[i] = fma(set(q[i][d + 1]), second, odd[i]);
    }
  }
  for (std::size_t i = 0; i < N; ++i) scores[i] = mul(add(even[i], odd[i]), set(scale));
}

template <class T>
PLUMBLINE_INLINE void score_all(const T* keys, const AttentionTile& tile, std::size_t first, F32* scores) {
  std::size_t i = first;
  for (; i + 4 <= tile.queries; i += 4) score<T, 4>(keys, tile.q + i, tile.pages.dim, tile.scale, scores + i);
  for (; i < tile.queries; ++i) score<T, 1>(keys, tile.q + i, tile.pages.dim, tile.scale, scores + i);
}

/// Adds `count` positions to a query's running sum: sum = sum * decay + weights · values, V registers wide at a time.
template <class T, std::size_t V>
PLUMBLINE_INLINE void mix(const T* values, std::size_t stride, const float* weights, std::size_t count, float decay,
                          float* to) {
  F32 acc[V];
  for (std::size_t v = 0; v < V; ++v) acc[v] = mul(load(to + v * kLaneCount), set(decay));
  for (std::size_t j = 0; j < count; ++j) {
    const F32 weight = set(weights[j]);
#pragma GCC unroll 4
    for (std::size_t v = 0; v < V; ++v) {
      acc[v] = fma(weight, load_page(values + j * stride + v * kLaneCount), acc[v]);
    }
  }
  for (std::size_t v = 0; v < V; ++v) store(to + v * kLaneCount, acc[v]);
}

/// What a query knows of the positions so far.
struct Running {
  float peak = -__builtin_inff();
  float weight = 0;
};

template <class T>
PLUMBLINE_INLINE void take(const AttentionTile& tile, const T* values, std::size_t query, std::size_t count, F32 scores,
                           Running& state) {
  scores = keep_first(scores, count, set(-__builtin_inff()));
  const float peak = largest(scores);
  const float top = peak > state.peak ? peak : state.peak;
  const F32 weights = keep_first(exponential(sub(scores, set(top))), count, zero());
  float decay[kLaneCount];
  store(decay, exponential(set(state.peak - top)));
  if (state.weight == 0) decay[0] = 0;  // the first sixteen: there is nothing to keep
  state.weight = state.weight * decay[0] + sum(weights);
  state.peak = top;
  float shares[kLaneCount];
  store(shares, weights);
  float* to = tile.scratch + query * tile.pages.padded_dim;
  const std::size_t stride = tile.pages.padded_dim;
  std::size_t d = 0;
  for (; d + 4 * kLaneCount <= stride; d += 4 * kLaneCount) {
    mix<T, 4>(values + d, stride, shares, count, decay[0], to + d);
  }
  for (; d < stride; d += kLaneCount) mix<T, 1>(values + d, stride, shares, count, decay[0], to + d);
}

template <class T>
PLUMBLINE_TARGET void attend_pages(const AttentionTile& tile) {
  const KvPages& pages = tile.pages;
  std::size_t longest = 0;
  for (std::size_t i = 0; i < tile.queries; ++i) longest = tile.visible[i] > longest ? tile.visible[i] : longest;
  for (std::size_t i = 0; i < tile.queries * pages.padded_dim; ++i) tile.scratch[i] = 0;
  Running states[kQueriesAtOnce];
  for (std::size_t position = 0; position < longest;) {
    const std::size_t slot = position % pages.block_tokens;
    const auto block = static_cast<std::size_t>(tile.blocks[position / pages.block_tokens]);
    const T* keys = reinterpret_cast<const T*>(pages.keys + block * pages.block_bytes) + slot * pages.dim;
    const T* values = reinterpret_cast<const T*>(pages.values + block * pages.block_bytes) + slot * pages.padded_dim;
    const std::size_t in_block = pages.block_tokens - slot;
    const std::size_t width = in_block < kLaneCount ? in_block : kLaneCount;
    F32 scores[kQueriesAtOnce];
    score_all(keys, tile, 0, scores);
    for (std::size_t i = 0; i < tile.queries; ++i) {
      if (tile.visible[i] <= position) continue;
      const std::size_t left = tile.visible[i] - position;
      take(tile, values, i, left < width ? left : width, scores[i], states[i]);
    }
    position += width;
  }
  for (std::size_t i = 0; i < tile.queries; ++i) {
    const F32 inverse = set(1.0F / states[i].weight);
    const float* from = tile.scratch + i * pages.padded_dim;
    for (std::size_t d = 0; d < pages.dim; d += kLaneCount) {
      const std::size_t n = pages.dim - d < kLaneCount ? pages.dim - d : kLaneCount;
      store_part(tile.y[i] + d, mul(load(from + d), inverse), n);
    }
  }
}

inline void attend(const AttentionTile& tile) {
  if (tile.pages.bf16) return attend_pages<std::uint16_t>(tile);
  attend_pages<float>(tile);
}

}  // namespace kernels::PLUMBLINE_SIMD
