// Writes the layout that gptq_format reads: plain codes, zeros and scales into packed tensors it owns. For tests and
// for synthetic checkpoints; knows nothing of how codes are found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/gptq_format.hpp"

namespace kernels {

/// One layer before packing. Row-major; values of codes and zeros are 0..15, at 8 bits 0..255.
struct GptqPlain {
  std::size_t in = 0;               ///< multiple of 8, at 8 bits of 4
  std::size_t out = 0;              ///< multiple of 8, at 8 bits of 4
  std::vector<std::uint8_t> codes;  ///< [in][out]
  std::vector<std::uint8_t> zeros;  ///< [groups][out]
  std::vector<float> scales;        ///< [groups][out]; rounded to binary16
  std::vector<std::int32_t> g_idx;  ///< [in], or empty for k / group_size
  unsigned bits = 4;                ///< 4 or 8
};

/// The packed tensors; `tensors()` views them and is valid while this object is.
struct GptqPacked {
  std::string name;
  std::size_t in = 0;
  std::size_t out = 0;
  std::vector<std::uint32_t> qweight;
  std::vector<std::uint32_t> qzeros;
  std::vector<half_bits> scales;
  std::vector<std::int32_t> g_idx;
  GptqVersion version = GptqVersion::v1;
  unsigned bits = 4;

  GptqTensors tensors() const;
};

/// One field as it is stored: a zero point, less one modulo 2^bits in version 1.
constexpr std::uint32_t stored_zero(std::uint32_t zero, GptqVersion version, unsigned bits) noexcept {
  const std::uint32_t mask = (1U << bits) - 1;
  return (version == GptqVersion::v1 ? zero + mask : zero) & mask;
}

/// Packs; the sizes of `plain` must fit each other (asserted).
GptqPacked pack_gptq(const GptqPlain& plain, GptqVersion version, std::string name);

}  // namespace kernels
