// Round-to-nearest quantisation of one linear layer into the GPTQ layout, some columns at a time. Knows no files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "kernels/gptq_format.hpp"

namespace refserver {

enum class ZeroPoints : std::uint8_t {
  symmetric,   ///< the middle of the codes; scale = 2 max|w| / (2^bits - 1)
  asymmetric,  ///< between the least and the greatest weight, zero among them
};

struct RtnOptions {
  unsigned bits = 4;
  ZeroPoints zero_points = ZeroPoints::symmetric;
  kernels::GptqVersion version = kernels::GptqVersion::v1;
  bool bf16_scales = false;  ///< scales are rounded to BF16, not to F16
};

/// A layer being quantised. `columns(n, w)` fills w with the `in` weights of output n.
struct RtnLayer {
  std::size_t in = 0;
  std::size_t out = 0;
  std::span<const std::int32_t> g_idx;  ///< [in]: group of each row
  std::size_t groups = 0;
  std::function<void(std::size_t n, std::span<float> w)> column;
};

/// The packed tensors of a layer: qweight [in/f][out], qzeros [groups][out/f], scales [groups][out] as bits.
struct RtnTensors {
  std::vector<std::uint32_t> qweight;
  std::vector<std::uint32_t> qzeros;
  std::vector<std::uint16_t> scales;
};

/// `in` and `out` must be multiples of the codes in a word (asserted).
RtnTensors quantize_rtn(const RtnLayer& layer, const RtnOptions& options);

}  // namespace refserver
