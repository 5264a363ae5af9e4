// Everything that walks along a row: norms, activations, rotation, plain weights, searching. For the instruction set of
// the including file. Every sum has one order, whatever else is computed beside it.
#pragma once

#include "kernels/cpu/kernel_table.hpp"
#include "kernels/cpu/simd.hpp"

namespace kernels::PLUMBLINE_SIMD {

inline constexpr std::size_t kLaneCount = 16;

/// e^x to about 2 ulp, for x clamped to -87 .. 88: never infinite, never subnormal.
/// The polynomial is Cephes' expf on |r| <= ln(2) / 2.
PLUMBLINE_INLINE F32 exponential(F32 x) {
  x = min(max(x, set(-87.0F)), set(88.0F));
  const I32 whole = to_ints(mul(x, set(1.44269504F)));
  const F32 n = to_floats(whole);
  const F32 r = fma(n, set(2.12194440e-4F), fma(n, set(-0.693359375F), x));
  F32 p = fma(set(1.9875691500e-4F), r, set(1.3981999507e-3F));
  p = fma(p, r, set(8.3334519073e-3F));
  p = fma(p, r, set(4.1665795894e-2F));
  p = fma(p, r, set(1.6666665459e-1F));
  p = fma(p, r, set(5.0000001201e-1F));
  return mul(add(fma(p, mul(r, r), r), set(1.0F)), power_of_two(whole));
}

PLUMBLINE_TARGET inline void rmsnorm(const float* delta, float* x, const float* weight, float epsilon, float* y,
                                     std::size_t cols) {
  F32 squares[2] = {zero(), zero()};
  for (std::size_t i = 0; i < cols; i += kLaneCount) {
    const std::size_t n = cols - i < kLaneCount ? cols - i : kLaneCount;
    F32 value = load_part(x + i, n);
    if (delta != nullptr) {
      value = add(value, load_part(delta + i, n));
      store_part(x + i, value, n);
    }
    F32& chain = squares[i / kLaneCount % 2];
    chain = fma(value, value, chain);
  }
  const float mean = sum(add(squares[0], squares[1])) / static_cast<float>(cols);
  const F32 inverse = set(1.0F / __builtin_sqrtf(mean + epsilon));
  for (std::size_t i = 0; i < cols; i += kLaneCount) {
    const std::size_t n = cols - i < kLaneCount ? cols - i : kLaneCount;
    store_part(y + i, mul(mul(load_part(x + i, n), inverse), load_part(weight + i, n)), n);
  }
}

PLUMBLINE_TARGET inline void silu_mul(const float* gate, const float* up, float* y, std::size_t cols) {
  for (std::size_t i = 0; i < cols; i += kLaneCount) {
    const std::size_t n = cols - i < kLaneCount ? cols - i : kLaneCount;
    const F32 z = load_part(gate + i, n);
    const F32 silu = div(z, add(set(1.0F), exponential(sub(zero(), z))));
    store_part(y + i, mul(silu, load_part(up + i, n)), n);
  }
}

PLUMBLINE_TARGET inline void rotate(float* x, const float* cosines, const float* sines, std::size_t half) {
  for (std::size_t i = 0; i < half; i += kLaneCount) {
    const std::size_t n = half - i < kLaneCount ? half - i : kLaneCount;
    const F32 a = load_part(x + i, n);
    const F32 b = load_part(x + half + i, n);
    const F32 c = load_part(cosines + i, n);
    const F32 s = load_part(sines + i, n);
    store_part(x + i, sub(mul(a, c), mul(b, s)), n);
    store_part(x + half + i, add(mul(b, c), mul(a, s)), n);
  }
}

/// Sixteen weights as floats.
PLUMBLINE_INLINE F32 load_weights(const float* p) {
  return load(p);
}
struct Half {
  std::uint16_t bits;
};
struct Bf16 {
  std::uint16_t bits;
};
PLUMBLINE_INLINE F32 load_weights(const Half* p) {
  return load_half(&p->bits);
}
PLUMBLINE_INLINE F32 load_weights(const Bf16* p) {
  return load_bf16(&p->bits);
}
template <class T>
PLUMBLINE_INLINE F32 load_weights_part(const T* p, std::size_t n) {
  T part[kLaneCount]{};
  __builtin_memcpy(part, p, n * sizeof *p);
  return load_weights(part);
}

inline constexpr std::size_t kDenseOuts = 4;

/// R rows times C outputs: one chain per sum, along the inputs. Loops are unrolled, or the sums would lie in memory.
template <class T, std::size_t R, std::size_t C>
PLUMBLINE_TARGET void dot_dense(const DenseTile& tile, const T* weights, std::size_t row, std::size_t out) {
  const std::size_t in = tile.matrix.in;
  const T* w = weights + out * in;
  const float* x = tile.x + row * tile.x_stride;
  F32 acc[R][C];
#pragma GCC unroll 4
  for (std::size_t r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (std::size_t c = 0; c < C; ++c) acc[r][c] = zero();
  }
  const std::size_t whole = in / kLaneCount * kLaneCount;
  for (std::size_t k = 0; k < whole; k += kLaneCount) {
    F32 values[R];
#pragma GCC unroll 4
    for (std::size_t r = 0; r < R; ++r) values[r] = load(x + r * tile.x_stride + k);
#pragma GCC unroll 4
    for (std::size_t c = 0; c < C; ++c) {
      prefetch(reinterpret_cast<const std::uint8_t*>(w + c * in + k) + 1024);
      const F32 weight = load_weights(w + c * in + k);
#pragma GCC unroll 4
      for (std::size_t r = 0; r < R; ++r) acc[r][c] = fma(values[r], weight, acc[r][c]);
    }
  }
  const std::size_t left = in - whole;
  if (left > 0) {
#pragma GCC unroll 4
    for (std::size_t c = 0; c < C; ++c) {
      const F32 weight = load_weights_part(w + c * in + whole, left);
#pragma GCC unroll 4
      for (std::size_t r = 0; r < R; ++r) {
        acc[r][c] = fma(load_part(x + r * tile.x_stride + whole, left), weight, acc[r][c]);
      }
    }
  }
#pragma GCC unroll 4
  for (std::size_t r = 0; r < R; ++r) {
    float sums[C];
    if constexpr (C == kDenseOuts) {
      sum_four(acc[r], sums);
    } else {
#pragma GCC unroll 4
      for (std::size_t c = 0; c < C; ++c) sums[c] = sum(acc[r][c]);
    }
    float* const y = tile.y + (row + r) * tile.y_stride + out;
#pragma GCC unroll 4
    for (std::size_t c = 0; c < C; ++c) y[c] = sums[c] + (tile.bias == nullptr ? 0.0F : tile.bias[out + c]);
  }
}

template <class T, std::size_t C>
PLUMBLINE_TARGET void dot_dense_rows(const DenseTile& tile, const T* weights, std::size_t out) {
  std::size_t row = 0;
  for (; row + kDenseRows <= tile.rows; row += kDenseRows) dot_dense<T, kDenseRows, C>(tile, weights, row, out);
  for (; row < tile.rows; ++row) dot_dense<T, 1, C>(tile, weights, row, out);
}

template <class T>
PLUMBLINE_TARGET void multiply_dense_of(const DenseTile& tile) {
  const T* weights = reinterpret_cast<const T*>(tile.matrix.data.data());
  std::size_t out = tile.first_out;
  for (; out + kDenseOuts <= tile.last_out; out += kDenseOuts) dot_dense_rows<T, kDenseOuts>(tile, weights, out);
  for (; out < tile.last_out; ++out) dot_dense_rows<T, 1>(tile, weights, out);
}

inline void multiply_dense(const DenseTile& tile) {
  switch (tile.matrix.type) {
    case DenseType::f32:
      return multiply_dense_of<float>(tile);
    case DenseType::f16:
      return multiply_dense_of<Half>(tile);
    case DenseType::bf16:
      return multiply_dense_of<Bf16>(tile);
  }
}

PLUMBLINE_TARGET inline std::size_t find_greater(const float* x, std::size_t begin, std::size_t end, float bar) {
  const F32 bars = set(bar);
  std::size_t i = begin;
  while (i + kLaneCount <= end && !any_greater(load(x + i), bars)) i += kLaneCount;
  while (i < end && !(x[i] > bar)) ++i;
  return i;
}

/// Four lines at a time, asked for 4 KiB ahead: faster than the machine's own foresight alone.
PLUMBLINE_TARGET inline float sum_all(const float* x, std::size_t count) {
  constexpr std::size_t kAhead = 1024;
  F32 chains[4] = {zero(), zero(), zero(), zero()};
  std::size_t i = 0;
  for (; i + 4 * kLaneCount <= count; i += 4 * kLaneCount) {
#pragma GCC unroll 4
    for (std::size_t c = 0; c < 4; ++c) {
      prefetch(x + i + c * kLaneCount + kAhead);
      chains[c] = add(chains[c], load(x + i + c * kLaneCount));
    }
  }
  float rest = 0;
  for (; i < count; ++i) rest += x[i];
  return sum(add(add(chains[0], chains[1]), add(chains[2], chains[3]))) + rest;
}

}  // namespace kernels::PLUMBLINE_SIMD
