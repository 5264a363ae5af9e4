// How a matrix is laid out in the tiles that the matmul kernel streams (fragments.hpp): everything but the codes, which
// the device moves (pack_kernel.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kernels/dense_format.hpp"
#include "kernels/gptq_format.hpp"

namespace kernels::cuda {

/// A matrix in tiles. Rows (inputs) are sorted by group and every group is padded to a multiple of 64 places, so that
/// scattered groups (desc_act) and groups of any size are read alike; x is 0 where there is padding.
struct TileLayout {
  unsigned bits = 4;  ///< 4, 8, or 16 for halves
  std::size_t in = 0;
  std::size_t out = 0;
  std::uint32_t slices = 0;         ///< of 128 outputs
  std::uint32_t slice_tiles = 0;    ///< of 128 places
  std::uint32_t group_halves = 1;   ///< runs of 64 places that share a scale
  std::vector<half_bits> scales;    ///< [groups][slices * 128], 0 where padded; empty for halves
  std::vector<std::uint8_t> zeros;  ///< as scales; empty where all are the middle (8 or 128), and for halves
  std::vector<std::int32_t> order;  ///< [slice_tiles * 128]: input of a place, -1 none; empty: place k is input k

  std::size_t padded_in() const noexcept { return std::size_t{slice_tiles} * 128; }
  std::size_t padded_out() const noexcept { return std::size_t{slices} * 128; }
};

/// Joined along their outputs; `can_join(parts)`.
TileLayout make_layout(std::span<const GptqMatrix> parts);

/// For plain weights as halves.
TileLayout make_layout(std::size_t in, std::size_t out);

/// Plain weights of another type as halves, [out][in], or nothing where one would not be the same number.
std::optional<std::vector<half_bits>> exact_halves(const DenseMatrix& weights);

}  // namespace kernels::cuda
