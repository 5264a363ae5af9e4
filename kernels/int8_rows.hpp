// Plain weights as an 8-bit or 4-bit quantised matrix: for output layers, which at 16 bits are a large part of what a
// model reads per token. Pure arithmetic, done once per model.
#pragma once

#include "kernels/dense_format.hpp"
#include "kernels/gptq_pack.hpp"

namespace kernels {

/// Symmetric codes of 8 (or 4) bits in groups of `group_size` inputs (0: one group): scale = greatest |w| of the group
/// / 127 (or 7) rounded up to binary16, so that a weight is off by at most scale / 2. `weights` has in and out of
/// multiples of 4 (8 at 4 bits; Errc::unaligned) and only finite values whose scale is in the range of binary16
/// (Errc::scale_not_finite).
Result<GptqPacked, FormatError> quantise_rows(const DenseMatrix& weights, std::size_t group_size, std::string name,
                                              unsigned bits = 8);

}  // namespace kernels
