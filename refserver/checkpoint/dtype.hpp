// The element types a safetensors file may hold, and plain numbers read from bytes that need not be aligned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace refserver {

enum class Dtype : std::uint8_t {
  boolean,
  u8,
  i8,
  f8_e5m2,
  f8_e4m3,
  i16,
  u16,
  f16,
  bf16,
  i32,
  u32,
  f32,
  i64,
  u64,
  f64
};

/// Bytes of one element.
std::size_t size_of(Dtype dtype) noexcept;

/// As the header of a file spells it: "F16", "BF16", "I32".
std::string_view name_of(Dtype dtype) noexcept;
std::optional<Dtype> parse_dtype(std::string_view name) noexcept;

/// Whether it is F16, BF16 or F32: the types weights that are not quantised may have.
constexpr bool is_weight_dtype(Dtype dtype) noexcept {
  return dtype == Dtype::f16 || dtype == Dtype::bf16 || dtype == Dtype::f32;
}

/// Element `index` of `bytes` as float, exact. `dtype` is F16, BF16 or F32 and the element is there (asserted).
float read_float(Dtype dtype, std::span<const std::byte> bytes, std::size_t index);

/// The bits of the nearest BF16, ties to even; NaN stays NaN.
std::uint16_t to_bf16(float value) noexcept;

}  // namespace refserver
