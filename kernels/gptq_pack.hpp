// Writes the layout that gptq_format reads: plain codes, zeros and scales into packed tensors it owns. For tests and
// for synthetic checkpoints; knows nothing of how codes are found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/gptq_format.hpp"

namespace kernels {

/// One layer before packing. Row-major; values of codes and zeros are 0..15.
struct GptqPlain {
  std::size_t in = 0;               ///< multiple of 8
  std::size_t out = 0;              ///< multiple of 8
  std::vector<std::uint8_t> codes;  ///< [in][out]
  std::vector<std::uint8_t> zeros;  ///< [groups][out]
  std::vector<float> scales;        ///< [groups][out]; rounded to binary16
  std::vector<std::int32_t> g_idx;  ///< [in], or empty for k / group_size
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

  GptqTensors tensors() const;
};

/// Packs; the sizes of `plain` must fit each other (asserted).
GptqPacked pack_gptq(const GptqPlain& plain, GptqVersion version, std::string name);

}  // namespace kernels
