// bfloat16 <-> float in plain integer arithmetic: the upper half of a float, as checkpoints and caches hold it.
#pragma once

#include <bit>
#include <cstdint>

namespace kernels {

/// The bits of a bfloat16 number.
using bf16_bits = std::uint16_t;

/// The float of the same value (every bfloat16 is one).
constexpr float bf16_to_float(bf16_bits bits) noexcept {
  return std::bit_cast<float>(std::uint32_t{bits} << 16U);
}

/// The nearest bfloat16, ties to even; beyond the largest infinity. NaN stays a quiet NaN.
constexpr bf16_bits to_bf16(float value) noexcept {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<bf16_bits>(bits >> 16U | 0x40U);
  return static_cast<bf16_bits>((bits + 0x7FFFU + (bits >> 16U & 1U)) >> 16U);
}

}  // namespace kernels
