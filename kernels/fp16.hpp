// IEEE 754 binary16 <-> float in plain integer arithmetic: scales and checkpoints carry halves as bits.
// Knows nothing of tensors; exact where a result exists, otherwise rounded to nearest, ties to even.
#pragma once

#include <bit>
#include <cstdint>

namespace kernels {

/// The bits of a binary16 number.
using half_bits = std::uint16_t;

/// The float of the same value (every half is one). NaN stays NaN, payload kept.
constexpr float to_float(half_bits half) noexcept {
  const std::uint32_t sign = (half & 0x8000U) << 16U;
  const std::uint32_t exponent = (half >> 10U) & 0x1FU;
  const std::uint32_t fraction = half & 0x3FFU;
  if (exponent == 0) {  // zero or subnormal: fraction * 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
  }
  const std::uint32_t wide = exponent == 0x1F ? 0xFFU : exponent + (127 - 15);
  return std::bit_cast<float>(sign | wide << 23U | fraction << 13U);
}

/// The nearest half, ties to even; beyond the largest half (65504) infinity. NaN becomes a quiet NaN.
constexpr half_bits to_half(float value) noexcept {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16U & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return static_cast<half_bits>(sign | 0x7E00U);
  if (magnitude >= 0x47800000U) return static_cast<half_bits>(sign | 0x7C00U);  // 2^16 and above
  if (magnitude < 0x38800000U) {                                                // below 2^-14: subnormal
    // Adding 0.5 leaves the value in units of 2^-24 in the low bits, rounded by the addition itself.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
    return static_cast<half_bits>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3F000000U));
  }
  const std::uint32_t odd = magnitude >> 13U & 1U;
  const std::uint32_t rounded = magnitude - ((127U - 15U) << 23U) + 0xFFFU + odd;
  return static_cast<half_bits>(sign | rounded >> 13U);  // a carry out of the fraction grows the exponent: right
}

}  // namespace kernels
