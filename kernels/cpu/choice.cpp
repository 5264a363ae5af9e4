// Three walks over the logits: the greatest, where it is, and what all weigh beside it.
#include "kernels/cpu/choice.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/cpu/kernel_table.hpp"

namespace kernels {

SampledId choose_greatest(std::span<const float> logits) {
  static const KernelTable& kernels = fastest_kernels();
  const float greatest = kernels.greatest(logits.data(), logits.size());
  if (!std::isfinite(greatest)) return {};
  const float below = std::nextafter(greatest, -INFINITY);
  return {static_cast<std::int32_t>(kernels.find_greater(logits.data(), 0, logits.size(), below)), 0,
          kernels.total_mass(logits.data(), logits.size(), greatest)};
}

float greatest_one_by_one(const float* logits, std::size_t count) {
  float greatest = -INFINITY;
  for (std::size_t i = 0; i < count; ++i) {
    if (std::isnan(logits[i])) return NAN;
    greatest = std::max(greatest, logits[i]);
  }
  return greatest;
}

std::uint64_t total_mass_one_by_one(const float* logits, std::size_t count, float greatest) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < count; ++i) total += sampling::mass_of(sampling::surprise_of(logits[i], greatest, 1.0F));
  return total;
}

}  // namespace kernels
