// Conversions and operations on single numbers, an instruction or two each on a GPU, the same bits on a host. And the
// words that make one source both.
#pragma once

#include <cmath>
#include <cstdint>

#if defined(__CUDACC__)
#define PLUMBLINE_HOST_DEVICE __host__ __device__
#define PLUMBLINE_KERNEL __host__ __device__ __forceinline__
#else
#define PLUMBLINE_HOST_DEVICE
#define PLUMBLINE_KERNEL inline
#endif
#if defined(__CUDA_ARCH__)
#define PLUMBLINE_ON_GPU 1
#define PLUMBLINE_UNROLL _Pragma("unroll")
#else
#define PLUMBLINE_ON_GPU 0
#define PLUMBLINE_UNROLL
#include "kernels/fp16.hpp"
#endif

namespace kernels::simt {

PLUMBLINE_KERNEL std::uint32_t float_bits(float value) {
#if PLUMBLINE_ON_GPU
  return __float_as_uint(value);
#else
  return std::bit_cast<std::uint32_t>(value);
#endif
}
PLUMBLINE_KERNEL float float_of(std::uint32_t bits) {
#if PLUMBLINE_ON_GPU
  return __uint_as_float(bits);
#else
  return std::bit_cast<float>(bits);
#endif
}
/// The float of a half's bits, exact.
PLUMBLINE_KERNEL float half_to_float(std::uint16_t bits) {
#if PLUMBLINE_ON_GPU
  float value;
  asm("cvt.f32.f16 %0, %1;\n" : "=f"(value) : "h"(bits));
  return value;
#else
  return to_float(bits);
#endif
}
/// The nearest half, ties to even.
PLUMBLINE_KERNEL std::uint16_t float_to_half(float value) {
#if PLUMBLINE_ON_GPU
  std::uint16_t bits;
  asm("cvt.rn.f16.f32 %0, %1;\n" : "=h"(bits) : "f"(value));
  return bits;
#else
  return to_half(value);
#endif
}
/// The nearest bfloat16, ties to even; NaN stays one.
PLUMBLINE_KERNEL std::uint16_t float_to_bf16(float value) {
  const std::uint32_t bits = float_bits(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<std::uint16_t>(bits >> 16U | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + (bits >> 16U & 1U)) >> 16U);
}
/// a * b + c, rounded once.
PLUMBLINE_KERNEL float fused(float a, float b, float c) {
#if PLUMBLINE_ON_GPU
  return __fmaf_rn(a, b, c);
#else
  return std::fma(a, b, c);
#endif
}
PLUMBLINE_KERNEL float power_of_2(float x) {
#if PLUMBLINE_ON_GPU
  return exp2f(x);
#else
  return std::exp2(x);
#endif
}

/// Any three-input function of bits: bit i of the result is bit (a_i b_i c_i) of Table.
template <unsigned Table>
PLUMBLINE_KERNEL std::uint32_t lop3(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
#if PLUMBLINE_ON_GPU
  std::uint32_t d;
  asm("lop3.b32 %0, %1, %2, %3, %4;\n" : "=r"(d) : "r"(a), "r"(b), "r"(c), "n"(Table));
  return d;
#else
  std::uint32_t d = 0;
  for (unsigned row = 0; row < 8; ++row) {
    if ((Table >> row & 1U) == 0) continue;
    d |= ((row & 4U) != 0 ? a : ~a) & ((row & 2U) != 0 ? b : ~b) & ((row & 1U) != 0 ? c : ~c);
  }
  return d;
#endif
}
/// Four bytes chosen from the eight of {a, b}: nibble i of Choice names byte i's source, a's bytes being 0 .. 3.
template <unsigned Choice>
PLUMBLINE_KERNEL std::uint32_t permute_bytes(std::uint32_t a, std::uint32_t b) {
#if PLUMBLINE_ON_GPU
  return __byte_perm(a, b, Choice);
#else
  const std::uint64_t both = std::uint64_t{b} << 32U | a;
  std::uint32_t d = 0;
  for (unsigned i = 0; i < 4; ++i) {
    d |= static_cast<std::uint32_t>(both >> 8U * (Choice >> 4U * i & 7U) & 0xFFU) << 8U * i;
  }
  return d;
#endif
}
/// Two halves at once: a - b.
PLUMBLINE_KERNEL std::uint32_t sub_halves(std::uint32_t a, std::uint32_t b) {
#if PLUMBLINE_ON_GPU
  std::uint32_t d;
  asm("sub.rn.f16x2 %0, %1, %2;\n" : "=r"(d) : "r"(a), "r"(b));
  return d;
#else
  const auto part = [](std::uint32_t x, std::uint32_t y) {
    return std::uint32_t{to_half(to_float(static_cast<half_bits>(x)) - to_float(static_cast<half_bits>(y)))};
  };
  return part(a >> 16U, b >> 16U) << 16U | part(a & 0xFFFFU, b & 0xFFFFU);
#endif
}
/// Two halves at once: a * b + c, rounded once.
PLUMBLINE_KERNEL std::uint32_t fused_halves(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
#if PLUMBLINE_ON_GPU
  std::uint32_t d;
  asm("fma.rn.f16x2 %0, %1, %2, %3;\n" : "=r"(d) : "r"(a), "r"(b), "r"(c));
  return d;
#else
  const auto part = [](std::uint32_t x, std::uint32_t y, std::uint32_t z) {
    const double exact =
        static_cast<double>(to_float(static_cast<half_bits>(x))) * to_float(static_cast<half_bits>(y)) +
        static_cast<double>(to_float(static_cast<half_bits>(z)));
    return std::uint32_t{to_half(static_cast<float>(exact))};
  };
  return part(a >> 16U, b >> 16U, c >> 16U) << 16U | part(a & 0xFFFFU, b & 0xFFFFU, c & 0xFFFFU);
#endif
}

}  // namespace kernels::simt
