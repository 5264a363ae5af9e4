// Keys and values in device memory: where a token's are, and in what numbers. Everything here runs on host and device.
#pragma once

#include <cstdint>

#include "kernels/cuda/simt.hpp"
#include "kernels/kv_cache.hpp"

namespace kernels::cuda {

/// What an 8-bit integer page needs per token and head: x = low + step * byte.
struct ByteScale {
  float low;
  float step;
};

/// A cache in device memory: [layer][block][kv_head][key, value][slot][dim], each element as `type` says. Integers
/// have their scales apart: [layer][block][kv_head][key, value][slot].
struct KvPagesView {
  unsigned char* pages;
  ByteScale* scales;  ///< null but for KvType::int8
  KvType type;
  std::uint32_t blocks;
  std::uint32_t block_tokens;
  std::uint32_t kv_heads;
  std::uint32_t dim;

  /// Number of a token's key (value_part 0) or value (1) among all; times dim: its first element.
  PLUMBLINE_HOST_DEVICE std::size_t token(std::size_t layer, std::size_t block, std::size_t head, unsigned value_part,
                                          std::size_t slot) const noexcept {
    return (((layer * blocks + block) * kv_heads + head) * 2 + value_part) * block_tokens + slot;
  }
};

PLUMBLINE_HOST_DEVICE constexpr std::size_t kv_size(KvType type) noexcept {
  return type == KvType::f32 ? 4 : type == KvType::bf16 || type == KvType::f16 ? 2 : 1;
}

/// The nearest number with 4 bits of exponent and 3 of fraction (OCP E4M3), ties to even; beyond 448 it stays 448.
PLUMBLINE_KERNEL std::uint8_t float_to_e4m3(float value) {
  const std::uint32_t bits = simt::float_bits(value);
  const std::uint32_t sign = bits >> 24U & 0x80U;
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return static_cast<std::uint8_t>(sign | 0x7FU);
  if (magnitude >= 0x43E00000U) return static_cast<std::uint8_t>(sign | 0x7EU);  // 448 and above
  if (magnitude < 0x3C800000U) {  // below 2^-6: multiples of 2^-9, rounded by the addition
    const float shifted = simt::float_of(magnitude) + 16384.0F;
    return static_cast<std::uint8_t>(sign | (simt::float_bits(shifted) - 0x46800000U));
  }
  const std::uint32_t rounded = magnitude - (120U << 23U) + 0x7FFFFU + (magnitude >> 20U & 1U);
  return static_cast<std::uint8_t>(sign | rounded >> 20U);
}
/// Exact: a half has the same bits one place up, 256 times smaller.
PLUMBLINE_KERNEL float e4m3_to_float(std::uint8_t byte) {
  const std::uint32_t bits = byte;
  if ((bits & 0x7FU) == 0x7FU) return simt::float_of(0x7FC00000U);
  return 256.0F * simt::half_to_float(static_cast<std::uint16_t>((bits & 0x80U) << 8U | (bits & 0x7FU) << 7U));
}

/// Element `at` of a page array. `scale` is the token's, for integers.
PLUMBLINE_KERNEL float load_kv(const KvPagesView& view, std::size_t at, const ByteScale& scale) {
  switch (view.type) {
    case KvType::f32:
      return reinterpret_cast<const float*>(view.pages)[at];
    case KvType::bf16:
      return simt::float_of(std::uint32_t{reinterpret_cast<const std::uint16_t*>(view.pages)[at]} << 16U);
    case KvType::f16:
      return simt::half_to_float(reinterpret_cast<const std::uint16_t*>(view.pages)[at]);
    case KvType::fp8:
      return e4m3_to_float(view.pages[at]);
    case KvType::int8:
      break;
  }
  return simt::fused(static_cast<float>(view.pages[at]), scale.step, scale.low);
}

/// Four elements from a multiple of four on, by one load.
PLUMBLINE_KERNEL void load_kv4(const KvPagesView& view, std::size_t at, const ByteScale& scale, float (&to)[4]) {
  struct alignas(8) Halves {
    std::uint16_t at[4];
  };
  struct alignas(4) Bytes {
    std::uint8_t at[4];
  };
  if (view.type == KvType::f32) {
    const simt::Float4 four = *reinterpret_cast<const simt::Float4*>(view.pages + at * 4);
    PLUMBLINE_UNROLL
    for (unsigned i = 0; i < 4; ++i) to[i] = four.at[i];
  } else if (view.type == KvType::f16 || view.type == KvType::bf16) {
    const Halves four = *reinterpret_cast<const Halves*>(view.pages + at * 2);
    PLUMBLINE_UNROLL
    for (unsigned i = 0; i < 4; ++i) {
      to[i] =
          view.type == KvType::f16 ? simt::half_to_float(four.at[i]) : simt::float_of(std::uint32_t{four.at[i]} << 16U);
    }
  } else {
    const Bytes four = *reinterpret_cast<const Bytes*>(view.pages + at);
    PLUMBLINE_UNROLL
    for (unsigned i = 0; i < 4; ++i) {
      to[i] = view.type == KvType::fp8 ? e4m3_to_float(four.at[i])
                                       : simt::fused(static_cast<float>(four.at[i]), scale.step, scale.low);
    }
  }
}

PLUMBLINE_KERNEL void store_kv(const KvPagesView& view, std::size_t at, const ByteScale& scale, float value) {
  switch (view.type) {
    case KvType::f32:
      reinterpret_cast<float*>(view.pages)[at] = value;
      return;
    case KvType::bf16:
      reinterpret_cast<std::uint16_t*>(view.pages)[at] = simt::float_to_bf16(value);
      return;
    case KvType::f16:
      reinterpret_cast<std::uint16_t*>(view.pages)[at] = simt::float_to_half(value);
      return;
    case KvType::fp8:
      view.pages[at] = float_to_e4m3(value);
      return;
    case KvType::int8:
      break;
  }
  const float code = scale.step > 0 ? rintf((value - scale.low) / scale.step) : 0.0F;
  view.pages[at] = static_cast<std::uint8_t>(fminf(fmaxf(code, 0.0F), 255.0F));
}

}  // namespace kernels::cuda
