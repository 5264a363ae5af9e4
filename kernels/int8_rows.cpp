// One output at a time: a group of its inputs is read, scaled and written.
#include "kernels/int8_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace kernels {
namespace {

constexpr std::size_t kPerWord = 4;
constexpr float kSteps = 127;
constexpr std::uint32_t kMiddle = 128;

/// Rounds one group of an output; false if its scale is no finite binary16.
bool round_group(const DenseMatrix& weights, std::size_t n, std::size_t begin, std::size_t end, GptqPacked& to,
                 half_bits& scale) {
  float peak = 0;
  for (std::size_t k = begin; k < end; ++k) {
    const float magnitude = std::abs(weights.at(n, k));
    if (!(magnitude <= peak)) peak = magnitude;  // NaN becomes the peak and stays it
  }
  scale = to_half(peak / kSteps);
  // Upwards, so that the greatest weight never lies beyond the last code.
  if (to_float(scale) * kSteps < peak) ++scale;
  const float rounded = to_float(scale);
  if (!std::isfinite(rounded)) return false;
  for (std::size_t k = begin; k < end; ++k) {
    const float steps = rounded > 0 ? std::nearbyint(weights.at(n, k) / rounded) : 0.0F;
    const auto code =
        static_cast<std::uint32_t>(static_cast<int>(std::clamp(steps, -kSteps, kSteps)) + static_cast<int>(kMiddle));
    to.qweight[k / kPerWord * to.out + n] |= code << 8 * (k % kPerWord);
  }
  return true;
}

}  // namespace

Result<GptqPacked, FormatError> quantise_rows(const DenseMatrix& weights, std::size_t group_size, std::string name) {
  if (weights.in == 0 || weights.out == 0 || weights.in % kPerWord != 0 || weights.out % kPerWord != 0) {
    return FormatError{Errc::unaligned,
                       fmt::format("{}: shape [{}, {}] is not of multiples of 4", name, weights.out, weights.in)};
  }
  const std::size_t size = group_size == 0 ? weights.in : group_size;
  const std::size_t groups = (weights.in - 1) / size + 1;
  GptqPacked packed{};
  packed.name = std::move(name);
  packed.in = weights.in;
  packed.out = weights.out;
  packed.bits = 8;
  packed.version = GptqVersion::v2;
  packed.qweight.resize(weights.in / kPerWord * weights.out);
  packed.qzeros.assign(groups * weights.out / kPerWord, 0x80808080U);
  packed.scales.resize(groups * weights.out);
  for (std::size_t n = 0; n < weights.out; ++n) {
    for (std::size_t g = 0; g < groups; ++g) {
      const std::size_t end = std::min((g + 1) * size, weights.in);
      if (!round_group(weights, n, g * size, end, packed, packed.scales[g * weights.out + n])) {
        return FormatError{Errc::scale_not_finite,
                           fmt::format("{}: row {} has a value that is not finite or too large", packed.name, n)};
      }
    }
  }
  return packed;
}

}  // namespace kernels
