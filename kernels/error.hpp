// What can be wrong with tensors that are handed to this folder. Pure values.
#pragma once

#include <cstdint>
#include <string>

namespace kernels {

enum class Errc : std::uint8_t {
  bad_shape,         ///< a tensor's shape does not fit its data or the other tensors
  unaligned,         ///< a dimension is no multiple of what one packed word holds
  bad_group,         ///< g_idx names a group that does not exist or gives a group too many rows
  scale_not_finite,  ///< a scale is NaN or infinite
  bad_bits,          ///< codes of a width this layout is not read at
};

/// A fixed short word per value, for metrics and messages alike.
const char* label(Errc code) noexcept;

/// One refusal: `message` names the tensor, what it has and what it should have.
struct FormatError {
  Errc code;
  std::string message;
};

}  // namespace kernels
