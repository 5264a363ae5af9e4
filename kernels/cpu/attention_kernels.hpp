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

// Pages are scattered: no hardware foresees the next one, nor the first of the next tile. Lines are asked for one by
// one between the sums: all at once, they would be in the way of what is needed now.

/// scores[i] = q[i] · key over 16 positions, for N queries: two chains, even and odd elements. `keys` is [dim][16], and
/// so is `next`, which is asked for.
template <class T, std::size_t N>
PLUMBLINE_INLINE void score(const T* keys, const T* next, const float* const* q, std::size_t dim, float scale,
                            F32* scores) {
  F32 even[N], odd[N];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < N; ++i) even[i] = odd[i] = zero();
  for (std::size_t d = 0; d < dim; d += 2) {  // dim is even
    prefetch(next + d * kLaneCount);
    if constexpr (sizeof(T) == sizeof(float)) prefetch(next + (d + 1) * kLaneCount);
    const F32 first = load_page(keys + d * kLaneCount);
    const F32 second = load_page(keys + (d + 1) * kLaneCount);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < N; ++i) {
      even[i] = fma(set(q[i][d]), first, even[i]);
      odd[i] = fma(set(q[i][d + 1]), second, odd[i]);
    }
  }
#pragma GCC unroll 8
  for (std::size_t i = 0; i < N; ++i) scores[i] = mul(add(even[i], odd[i]), set(scale));
}

/// All queries, as many at once as the registers hold.
template <class T, std::size_t N>
PLUMBLINE_INLINE void score_at_most(const T* keys, const T* next, const AttentionTile& tile, std::size_t first,
                                    F32* scores) {
  for (; tile.queries - first >= N; first += N) {
    score<T, N>(keys, next, tile.q + first, tile.pages.dim, tile.scale, scores + first);
  }
  if constexpr (N > 1) score_at_most<T, N - 1>(keys, next, tile, first, scores);
}

/// What the queries know of the positions so far, and their shares of the sixteen at hand.
struct Running {
  float peaks[kLaneCount];             ///< greatest score
  float totals[kLaneCount];            ///< sum of e^(score - peak)
  float decays[kLaneCount];            ///< what the sums so far are worth under a new peak
  std::size_t counts[kQueriesAtOnce];  ///< positions of the sixteen that the query sees
  float shares[kQueriesAtOnce][kLaneCount];
};

/// Turns scores into shares under the new peaks.
PLUMBLINE_INLINE void weigh(std::size_t queries, F32* scores, Running& state) {
  float before[kLaneCount];
  store(before, load(state.peaks));
  for (std::size_t i = 0; i < queries; ++i) {
    scores[i] = keep_first(scores[i], state.counts[i], set(-__builtin_inff()));
    const float peak = largest(scores[i]);  // of no positions: less than any
    state.peaks[i] = peak > state.peaks[i] ? peak : state.peaks[i];
  }
  // A query that sees none of the sixteen keeps its peak and decays by e^0, which is exactly 1.
  const F32 decays = exponential(sub(load(before), load(state.peaks)));
  store(state.decays, decays);
  for (std::size_t i = 0; i < queries; ++i) {
    scores[i] = keep_first(exponential(sub(scores[i], set(state.peaks[i]))), state.counts[i], zero());
    store(state.shares[i], scores[i]);
  }
  float sums[kLaneCount]{};
  for (std::size_t i = 0; i < queries; i += 4) sum_four(scores + i, sums + i);
  store(state.totals, add(mul(load(state.totals), decays), load(sums)));
}

/// Adds `count` positions to V registers of the running sums of N queries: sum = sum * decay + shares · values. Asks
/// for the same part of `next`.
template <class T, std::size_t N, std::size_t V>
PLUMBLINE_INLINE void mix(const T* values, const T* next, std::size_t stride, std::size_t count, const float* decays,
                          const float (*shares)[kLaneCount], float* sums) {
  F32 acc[N][V];
#pragma GCC unroll 4
  for (std::size_t i = 0; i < N; ++i) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < V; ++v) acc[i][v] = mul(load(sums + i * stride + v * kLaneCount), set(decays[i]));
  }
  for (std::size_t j = 0; j < count; ++j) {
    F32 value[V];
    constexpr std::size_t kLine = kStepBytes / sizeof(T);
    for (std::size_t at = 0; at < V * kLaneCount; at += kLine) prefetch(next + j * stride + at);
#pragma GCC unroll 4
    for (std::size_t v = 0; v < V; ++v) value[v] = load_page(values + j * stride + v * kLaneCount);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < N; ++i) {
      const F32 share = set(shares[i][j]);
#pragma GCC unroll 4
      for (std::size_t v = 0; v < V; ++v) acc[i][v] = fma(share, value[v], acc[i][v]);
    }
  }
#pragma GCC unroll 4
  for (std::size_t i = 0; i < N; ++i) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < V; ++v) store(sums + i * stride + v * kLaneCount, acc[i][v]);
  }
}

template <class T, std::size_t N>
PLUMBLINE_TARGET void mix_queries(const T* values, const T* next, const AttentionTile& tile, std::size_t first,
                                  const Running& state) {
  const std::size_t stride = tile.pages.padded_dim;
  float* const sums = tile.scratch + first * stride;
  const std::size_t count = state.counts[first];
  const float* decays = state.decays + first;
  const float(*shares)[kLaneCount] = state.shares + first;
  std::size_t d = 0;
  for (; d + 4 * kLaneCount <= stride; d += 4 * kLaneCount) {
    mix<T, N, 4>(values + d, next + d, stride, count, decays, shares, sums + d);
  }
  for (; d < stride; d += kLaneCount) mix<T, N, 1>(values + d, next + d, stride, count, decays, shares, sums + d);
}

/// Neighbours that see equally much share the loads of the values.
template <class T, std::size_t N>
PLUMBLINE_INLINE void mix_at_most(const T* values, const T* next, const AttentionTile& tile, std::size_t first,
                                  std::size_t last, const Running& state) {
  for (; last - first >= N; first += N) mix_queries<T, N>(values, next, tile, first, state);
  if constexpr (N > 1) mix_at_most<T, N - 1>(values, next, tile, first, last, state);
}

template <class T>
PLUMBLINE_INLINE void mix_all(const T* values, const T* next, const AttentionTile& tile, const Running& state) {
  for (std::size_t first = 0; first < tile.queries;) {
    std::size_t last = first + 1;
    while (last < tile.queries && state.counts[last] == state.counts[first]) ++last;
    mix_at_most<T, kMixedAtOnce>(values, next, tile, first, last, state);
    first = last;
  }
}

/// Where a position's sixteen lie.
template <class T>
struct Place {
  const T* keys;
  const T* values;
  std::size_t width;  ///< positions up to the end of the block, at most 16
};

template <class T>
PLUMBLINE_INLINE Place<T> place_of(const AttentionTile& tile, std::size_t position) {
  const KvPages& pages = tile.pages;
  const std::size_t slot = position % pages.block_tokens;
  const auto block = static_cast<std::size_t>(tile.blocks[position / pages.block_tokens]);
  const std::size_t left = pages.block_tokens - slot;
  return {reinterpret_cast<const T*>(pages.keys + block * pages.block_bytes) + slot * pages.dim,
          reinterpret_cast<const T*>(pages.values + block * pages.block_bytes) + slot * pages.padded_dim,
          left < kLaneCount ? left : kLaneCount};
}

template <class T>
PLUMBLINE_TARGET void attend_pages(const AttentionTile& tile) {
  const KvPages& pages = tile.pages;
  std::size_t longest = 0;
  for (std::size_t i = 0; i < tile.queries; ++i) longest = tile.visible[i] > longest ? tile.visible[i] : longest;
  for (std::size_t i = 0; i < tile.queries * pages.padded_dim; ++i) tile.scratch[i] = 0;
  Running state{};
  for (float& peak : state.peaks) peak = -1e30F;
  Place<T> here = place_of<T>(tile, 0);
  const Place<T> after = tile.next_keys == nullptr ? here
                                                   : Place<T>{reinterpret_cast<const T*>(tile.next_keys),
                                                              reinterpret_cast<const T*>(tile.next_values), here.width};
  for (std::size_t position = 0; position < longest;) {
    const std::size_t next_position = position + here.width;
    const Place<T> next = next_position < longest ? place_of<T>(tile, next_position) : after;
    for (std::size_t i = 0; i < tile.queries; ++i) {
      const std::size_t left = tile.visible[i] > position ? tile.visible[i] - position : 0;
      state.counts[i] = left < here.width ? left : here.width;
    }
    F32 scores[kQueriesAtOnce] = {zero(), zero(), zero(), zero(), zero(), zero(), zero(), zero()};
    score_at_most<T, kScoredAtOnce>(here.keys, next.keys, tile, 0, scores);
    weigh(tile.queries, scores, state);
    mix_all(here.values, next.values, tile, state);
    position = next_position;
    here = next;
  }
  for (std::size_t i = 0; i < tile.queries; ++i) {
    const F32 inverse = set(1.0F / state.totals[i]);
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
