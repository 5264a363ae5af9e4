// One output at a time: a group of its inputs is read, scaled and written.
#include "kernels/int8_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace kernels {
namespace {

/// Rounds one group of an output; false if a weight is not finite or the scale is no finite binary16.
bool round_group(const DenseMatrix& weights, std::size_t n, std::size_t begin, std::size_t end, GptqPacked& to,
                 half_bits& scale) {
  const std::size_t per_word = codes_per_word(to.bits);
  const int middle = 1 << (to.bits - 1);
  const auto most_steps = static_cast<float>(middle - 1);
  float peak = 0;
  for (std::size_t k = begin; k < end; ++k) {
    const float magnitude = std::abs(weights.at(n, k));
    if (!std::isfinite(magnitude)) return false;
    peak = std::max(peak, magnitude);
  }
  scale = to_half(peak / most_steps);
  // Upwards, so that the greatest weight never lies beyond the last code.
  if (to_float(scale) * most_steps < peak) ++scale;
  const float rounded = to_float(scale);
  if (!std::isfinite(rounded)) return false;
  for (std::size_t k = begin; k < end; ++k) {
    const float steps = rounded > 0 ? std::nearbyint(weights.at(n, k) / rounded) : 0.0F;
    const auto code = static_cast<std::uint32_t>(static_cast<int>(std::clamp(steps, -most_steps, most_steps)) + middle);
    to.qweight[k / per_word * to.out + n] |= code << to.bits * (k % per_word);
  }
  return true;
}

}  // namespace

Result<GptqPacked, FormatError> quantise_rows(const DenseMatrix& weights, std::size_t group_size, std::string name,
                                              unsigned bits) {
  const std::size_t per_word = codes_per_word(bits);
  if (weights.in == 0 || weights.out == 0 || weights.in % per_word != 0 || weights.out % per_word != 0) {
    return FormatError{Errc::unaligned, fmt::format("{}: shape [{}, {}] is not of multiples of {}", name, weights.out,
                                                    weights.in, per_word)};
  }
  const std::size_t size = group_size == 0 ? weights.in : group_size;
  const std::size_t groups = (weights.in - 1) / size + 1;
  GptqPacked packed{};
  packed.name = std::move(name);
  packed.in = weights.in;
  packed.out = weights.out;
  packed.bits = bits;
  packed.version = GptqVersion::v2;
  packed.qweight.resize(weights.in / per_word * weights.out);
  packed.qzeros.assign(groups * weights.out / per_word, bits == 8 ? 0x80808080U : 0x88888888U);
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
