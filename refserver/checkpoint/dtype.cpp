// One table of names and sizes.
#include "refserver/checkpoint/dtype.hpp"

#include <array>
#include <bit>
#include <cassert>
#include <cstring>

#include "kernels/fp16.hpp"

namespace refserver {
namespace {

struct Entry {
  std::string_view name;
  std::size_t size;
};

/// In the order of the enum.
constexpr std::array<Entry, 15> kDtypes{{{"BOOL", 1},
                                         {"U8", 1},
                                         {"I8", 1},
                                         {"F8_E5M2", 1},
                                         {"F8_E4M3", 1},
                                         {"I16", 2},
                                         {"U16", 2},
                                         {"F16", 2},
                                         {"BF16", 2},
                                         {"I32", 4},
                                         {"U32", 4},
                                         {"F32", 4},
                                         {"I64", 8},
                                         {"U64", 8},
                                         {"F64", 8}}};

template <class T>
T load(std::span<const std::byte> bytes, std::size_t index) {
  assert(index < bytes.size() / sizeof(T));
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

}  // namespace

std::size_t size_of(Dtype dtype) noexcept {
  return kDtypes[static_cast<std::size_t>(dtype)].size;
}

std::string_view name_of(Dtype dtype) noexcept {
  return kDtypes[static_cast<std::size_t>(dtype)].name;
}

std::optional<Dtype> parse_dtype(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kDtypes.size(); ++i) {
    if (kDtypes[i].name == name) return static_cast<Dtype>(i);
  }
  return std::nullopt;
}

float read_float(Dtype dtype, std::span<const std::byte> bytes, std::size_t index) {
  assert(is_weight_dtype(dtype));
  if (dtype == Dtype::f32) return load<float>(bytes, index);
  const auto bits = load<std::uint16_t>(bytes, index);
  return dtype == Dtype::f16 ? kernels::to_float(bits) : std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
}

std::uint16_t to_bf16(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<std::uint16_t>(bits >> 16U | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + (bits >> 16U & 1U)) >> 16U);
}

}  // namespace refserver
