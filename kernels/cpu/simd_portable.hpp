// Sixteen lanes as a plain array, for any CPU: the compiler uses what vectors the baseline target has. No fused
// multiply-add here, so exact sums round differently from the other instruction sets; fast sums do not.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/bf16.hpp"
#include "kernels/fp16.hpp"

namespace kernels::simd_portable {

inline constexpr std::size_t kExactRows = 4;
inline constexpr std::size_t kFastRows = 4;
inline constexpr std::size_t kPanelsAtOnce = 1;
/// Queries that share the loads of a page: of its keys, and of its values.
inline constexpr std::size_t kScoredAtOnce = 2;
inline constexpr std::size_t kMixedAtOnce = 1;
inline constexpr std::size_t kDenseRows = 2;
inline constexpr std::size_t kLanes = 16;

struct F32 {
  float v[kLanes];
};
struct I32 {
  std::int32_t v[kLanes];
};
/// 64 bytes: one line of packed codes, or four bytes of x repeated.
struct Line {
  std::uint8_t v[4 * kLanes];
};

template <class Vector, class Function>
inline Vector lanes(Function function) {
  Vector to;
  for (std::size_t i = 0; i < kLanes; ++i) to.v[i] = function(i);
  return to;
}

inline F32 set(float x) {
  return lanes<F32>([&](std::size_t) { return x; });
}
inline F32 zero() {
  return set(0);
}
inline F32 load(const float* p) {
  return lanes<F32>([&](std::size_t i) { return p[i]; });
}
/// The first n lanes (0..16); the others are 0 and their memory is not touched.
inline F32 load_part(const float* p, std::size_t n) {
  return lanes<F32>([&](std::size_t i) { return i < n ? p[i] : 0.0F; });
}
inline F32 load_half(const std::uint16_t* p) {
  return lanes<F32>([&](std::size_t i) { return to_float(p[i]); });
}
inline F32 load_bf16(const std::uint16_t* p) {
  return lanes<F32>([&](std::size_t i) { return bf16_to_float(p[i]); });
}
inline void store(float* p, F32 x) {
  std::memcpy(p, x.v, sizeof x.v);
}
inline void store_part(float* p, F32 x, std::size_t n) {
  std::memcpy(p, x.v, n * sizeof *p);
}
inline F32 add(F32 a, F32 b) {
  return lanes<F32>([&](std::size_t i) { return a.v[i] + b.v[i]; });
}
inline F32 sub(F32 a, F32 b) {
  return lanes<F32>([&](std::size_t i) { return a.v[i] - b.v[i]; });
}
inline F32 mul(F32 a, F32 b) {
  return lanes<F32>([&](std::size_t i) { return a.v[i] * b.v[i]; });
}
inline F32 div(F32 a, F32 b) {
  return lanes<F32>([&](std::size_t i) { return a.v[i] / b.v[i]; });
}
/// a * b + c, rounded twice.
inline F32 fma(F32 a, F32 b, F32 c) {
  return lanes<F32>([&](std::size_t i) { return a.v[i] * b.v[i] + c.v[i]; });
}
inline F32 max(F32 a, F32 b) {
  return lanes<F32>([&](std::size_t i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
inline F32 min(F32 a, F32 b) {
  return lanes<F32>([&](std::size_t i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}
inline F32 magnitude(F32 a) {
  return lanes<F32>([&](std::size_t i) { return std::abs(a.v[i]); });
}
/// Lanes below n of x, the others of `rest`.
inline F32 keep_first(F32 x, std::size_t n, F32 rest) {
  return lanes<F32>([&](std::size_t i) { return i < n ? x.v[i] : rest.v[i]; });
}
/// Halves, then quarters, ...: the order every instruction set here uses.
inline float sum(F32 x) {
  for (std::size_t width = kLanes / 2; width > 0; width /= 2) {
    for (std::size_t i = 0; i < width; ++i) x.v[i] += x.v[i + width];
  }
  return x.v[0];
}
inline void sum_four(const F32* x, float* to) {
  for (int i = 0; i < 4; ++i) to[i] = sum(x[i]);
}
inline float largest(F32 x) {
  for (std::size_t width = kLanes / 2; width > 0; width /= 2) {
    for (std::size_t i = 0; i < width; ++i) x.v[i] = x.v[i] > x.v[i + width] ? x.v[i] : x.v[i + width];
  }
  return x.v[0];
}
/// Whether any lane of x is greater than the same lane of y.
inline bool any_greater(F32 x, F32 y) {
  bool any = false;
  for (std::size_t i = 0; i < kLanes; ++i) any = any || x.v[i] > y.v[i];
  return any;
}

inline I32 iset(std::int32_t x) {
  return lanes<I32>([&](std::size_t) { return x; });
}
inline I32 izero() {
  return iset(0);
}
inline I32 load_u8(const std::uint8_t* p) {
  return lanes<I32>([&](std::size_t i) { return std::int32_t{p[i]}; });
}
inline I32 iadd(I32 a, I32 b) {
  return lanes<I32>([&](std::size_t i) { return a.v[i] + b.v[i]; });
}
inline I32 isub(I32 a, I32 b) {
  return lanes<I32>([&](std::size_t i) { return a.v[i] - b.v[i]; });
}
inline I32 imul(I32 a, I32 b) {
  return lanes<I32>([&](std::size_t i) { return a.v[i] * b.v[i]; });
}
inline std::int32_t isum(I32 x) {
  std::int32_t total = 0;
  for (const std::int32_t lane : x.v) total += lane;
  return total;
}
inline F32 to_floats(I32 x) {
  return lanes<F32>([&](std::size_t i) { return static_cast<float>(x.v[i]); });
}
/// To nearest, ties to even; |x| below 2^22.
inline I32 to_ints(F32 x) {
  // 1.5 * 2^23 leaves the integer in the low bits of the fraction, rounded by the addition itself.
  return lanes<I32>([&](std::size_t i) {
    return static_cast<std::int32_t>(std::bit_cast<std::uint32_t>(x.v[i] + 0x1.8p23F) - 0x4B400000U);
  });
}
/// 2^n for n in -126..127.
inline F32 power_of_two(I32 n) {
  return lanes<F32>(
      [&](std::size_t i) { return std::bit_cast<float>(static_cast<std::uint32_t>(n.v[i] + 127) << 23U); });
}
inline void store_i8(std::int8_t* p, I32 x) {
  for (std::size_t i = 0; i < kLanes; ++i) p[i] = static_cast<std::int8_t>(x.v[i]);
}

inline void prefetch(const void* p) {
  __builtin_prefetch(p);
}
inline Line load_line(const std::uint8_t* p) {
  Line line;
  std::memcpy(line.v, p, sizeof line.v);
  return line;
}
inline Line low_nibbles(Line x) {
  for (std::uint8_t& byte : x.v) byte = byte & 15U;
  return x;
}
inline Line high_nibbles(Line x) {
  for (std::uint8_t& byte : x.v) byte = static_cast<std::uint8_t>(byte >> 4U);
  return x;
}
/// Four bytes, sixteen times.
inline Line repeat4(const std::int8_t* p) {
  Line line;
  for (std::size_t i = 0; i < kLanes; ++i) std::memcpy(line.v + 4 * i, p, 4);
  return line;
}
/// acc[lane] += sum over four of codes (unsigned) * x (signed).
inline I32 dot_bytes(I32 acc, Line codes, Line x) {
  return lanes<I32>([&](std::size_t i) {
    std::int32_t total = acc.v[i];
    for (std::size_t j = 4 * i; j < 4 * i + 4; ++j) {
      total += std::int32_t{codes.v[j]} * std::int32_t{static_cast<std::int8_t>(x.v[j])};
    }
    return total;
  });
}
inline I32 dot_nibbles(I32 acc, Line codes, Line x) {
  return dot_bytes(acc, codes, x);
}
template <int Shift, int Mask>
inline F32 centred(const Line& x) {
  constexpr int middle = (Mask + 1) / 2;
  return lanes<F32>([&](std::size_t i) {
    const int code = x.v[4 * i + Shift / 8] >> Shift % 8 & Mask;
    return static_cast<float>(code - middle);
  });
}
/// Bits Shift .. Shift + 3 of each 32-bit lane, less 8.
template <int Shift>
inline F32 nibble_less_8(Line x) {
  return centred<Shift, 15>(x);
}
/// Bits Shift .. Shift + 7 of each 32-bit lane, less 128.
template <int Shift>
inline F32 byte_less_128(Line x) {
  return centred<Shift, 255>(x);
}

}  // namespace kernels::simd_portable
