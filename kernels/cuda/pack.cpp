// Once per matrix, on the host.
#include "kernels/cuda/pack.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "kernels/cuda/fragments.hpp"

namespace kernels::cuda {
namespace {

std::uint32_t blocks_of(std::size_t count, std::size_t size) {
  const std::size_t blocks = (count + size - 1) / size;
  assert(blocks <= UINT32_MAX);
  return static_cast<std::uint32_t>(blocks);
}

/// Inputs sorted by group, each group padded to `group_halves` * 64 places.
void sort_inputs(const GptqMatrix& matrix, TileLayout& layout) {
  std::vector<std::size_t> sizes(matrix.groups());
  for (std::size_t k = 0; k < matrix.in(); ++k) ++sizes[matrix.group(k)];
  layout.group_halves = blocks_of(*std::ranges::max_element(sizes), kHalfInputs);
  const std::size_t group_places = std::size_t{layout.group_halves} * kHalfInputs;
  layout.slice_tiles = blocks_of(matrix.groups() * group_places, kTileInputs);
  layout.order.assign(layout.padded_in(), -1);
  std::vector<std::size_t> next(matrix.groups());
  for (std::size_t g = 0; g < next.size(); ++g) next[g] = g * group_places;
  bool in_order = true;
  for (std::size_t k = 0; k < matrix.in(); ++k) {
    const std::size_t place = next[matrix.group(k)]++;
    layout.order[place] = static_cast<std::int32_t>(k);
    in_order = in_order && place == k;
  }
  if (in_order) layout.order.clear();
}

}  // namespace

TileLayout make_layout(std::span<const GptqMatrix> parts) {
  assert(!parts.empty());
  TileLayout layout;
  layout.bits = parts.front().bits();
  layout.in = parts.front().in();
  for (const GptqMatrix& part : parts) layout.out += part.out();
  assert(layout.in > 0 && layout.in <= INT32_MAX && layout.out > 0 && layout.out <= INT32_MAX);
  sort_inputs(parts.front(), layout);
  layout.slices = blocks_of(layout.out, kTileOutputs);
  // Whole tiles may go past the last group: the scales of a group that is not there are read with x = 0.
  const std::size_t groups = blocks_of(std::size_t{layout.slice_tiles} * 2, layout.group_halves);
  const auto middle = static_cast<std::uint8_t>(1U << (layout.bits - 1));
  layout.scales.resize(groups * layout.padded_out());
  layout.zeros.assign(groups * layout.padded_out(), middle);
  std::size_t first = 0;
  for (const GptqMatrix& part : parts) {
    for (std::size_t g = 0; g < part.groups(); ++g) {
      for (std::size_t n = 0; n < part.out(); ++n) {
        layout.scales[g * layout.padded_out() + first + n] = part.scale_bits(g, n);
        layout.zeros[g * layout.padded_out() + first + n] = static_cast<std::uint8_t>(part.zero(g, n));
      }
    }
    first += part.out();
  }
  if (std::ranges::all_of(layout.zeros, [&](std::uint8_t zero) { return zero == middle; })) layout.zeros.clear();
  return layout;
}

TileLayout make_layout(std::size_t in, std::size_t out) {
  assert(in > 0 && in <= INT32_MAX && out > 0 && out <= INT32_MAX);
  TileLayout layout;
  layout.bits = 16;
  layout.in = in;
  layout.out = out;
  layout.slices = blocks_of(out, kTileOutputs);
  layout.slice_tiles = blocks_of(in, kTileInputs);
  return layout;
}

std::optional<std::vector<half_bits>> exact_halves(const DenseMatrix& weights) {
  std::vector<half_bits> halves(weights.out * weights.in);
  for (std::size_t n = 0; n < weights.out; ++n) {
    for (std::size_t k = 0; k < weights.in; ++k) {
      const float value = weights.at(n, k);
      const half_bits half = to_half(value);
      if (to_float(half) != value && !std::isnan(value)) return std::nullopt;
      halves[n * weights.in + k] = half;
    }
  }
  return halves;
}

}  // namespace kernels::cuda
