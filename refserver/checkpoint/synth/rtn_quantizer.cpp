// Blocks of 16 columns: one cache line of qweight per row of words.
#include "refserver/checkpoint/synth/rtn_quantizer.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "kernels/fp16.hpp"
#include "kernels/gptq_pack.hpp"
#include "refserver/checkpoint/dtype.hpp"

namespace refserver {
namespace {

constexpr std::size_t kBlockColumns = 16;

/// Half to even, as the default rounding mode adds: exact for |x| < 2^22, and no call of a library.
float round_even(float x) {
  constexpr float magic = 0x1.8p23F;
  return (x + magic) - magic;
}

struct Grid {
  std::uint16_t scale_bits = 0;
  float scale = 1;
  std::uint32_t zero = 0;
};

Grid make_grid(float least, float greatest, const RtnOptions& options) {
  const auto top = static_cast<float>((1U << options.bits) - 1);
  float low = std::min(least, 0.0F);
  float high = std::max(greatest, 0.0F);
  if (options.zero_points == ZeroPoints::symmetric) {
    high = std::max(-low, high);
    low = -high;
  }
  if (low == high) {
    low = -1;
    high = 1;
  }
  Grid grid;
  const float scale = (high - low) / top;
  grid.scale_bits = options.bf16_scales ? to_bf16(scale) : kernels::to_half(scale);
  const auto stored = std::as_bytes(std::span(&grid.scale_bits, 1));
  grid.scale = read_float(options.bf16_scales ? Dtype::bf16 : Dtype::f16, stored, 0);  // codes fit what is stored
  assert(grid.scale > 0);
  grid.zero = options.zero_points == ZeroPoints::symmetric
                  ? 1U << (options.bits - 1)
                  : static_cast<std::uint32_t>(std::clamp(round_even(-low / grid.scale), 0.0F, top));
  return grid;
}

/// One block of columns: codes [in][16], then packed.
class Block {
 public:
  Block(const RtnLayer& layer, const RtnOptions& options)
      : layer_(layer), options_(options), column_(layer.in), codes_(layer.in * kBlockColumns), grids_(layer.groups) {}

  void quantize_column(std::size_t n, RtnTensors& out) {
    layer_.column(n, column_);
    std::vector<float>& least = bounds_[0];
    std::vector<float>& greatest = bounds_[1];
    least.assign(layer_.groups, 0);
    greatest.assign(layer_.groups, 0);
    for (std::size_t k = 0; k < layer_.in; ++k) {
      const auto g = static_cast<std::size_t>(layer_.g_idx[k]);
      least[g] = std::min(least[g], column_[k]);
      greatest[g] = std::max(greatest[g], column_[k]);
    }
    const std::size_t per_word = kernels::codes_per_word(options_.bits);
    for (std::size_t g = 0; g < layer_.groups; ++g) {
      grids_[g] = make_grid(least[g], greatest[g], options_);
      out.scales[g * layer_.out + n] = grids_[g].scale_bits;
      out.qzeros[g * (layer_.out / per_word) + n / per_word] |=
          kernels::stored_zero(grids_[g].zero, options_.version, options_.bits) << options_.bits * (n % per_word);
    }
    const auto top = static_cast<float>((1U << options_.bits) - 1);
    for (std::size_t k = 0; k < layer_.in; ++k) {
      const Grid& grid = grids_[static_cast<std::size_t>(layer_.g_idx[k])];
      const float code = round_even(column_[k] / grid.scale) + static_cast<float>(grid.zero);
      codes_[k * kBlockColumns + n % kBlockColumns] = static_cast<std::uint8_t>(std::clamp(code, 0.0F, top));
    }
  }

  void pack(std::size_t first, std::size_t columns, std::vector<std::uint32_t>& qweight) const {
    const std::size_t per_word = kernels::codes_per_word(options_.bits);
    for (std::size_t k = 0; k < layer_.in; ++k) {
      std::uint32_t* const words = qweight.data() + k / per_word * layer_.out + first;
      const unsigned shift = options_.bits * static_cast<unsigned>(k % per_word);
      for (std::size_t lane = 0; lane < columns; ++lane) {
        words[lane] |= std::uint32_t{codes_[k * kBlockColumns + lane]} << shift;
      }
    }
  }

 private:
  const RtnLayer& layer_;
  const RtnOptions& options_;
  std::vector<float> column_;
  std::vector<std::uint8_t> codes_;
  std::vector<Grid> grids_;
  std::vector<float> bounds_[2];
};

}  // namespace

RtnTensors quantize_rtn(const RtnLayer& layer, const RtnOptions& options) {
  const std::size_t per_word = kernels::codes_per_word(options.bits);
  assert(layer.in % per_word == 0 && layer.out % per_word == 0 && layer.g_idx.size() == layer.in);
  RtnTensors tensors{.qweight = std::vector<std::uint32_t>(layer.in / per_word * layer.out),
                     .qzeros = std::vector<std::uint32_t>(layer.groups * (layer.out / per_word)),
                     .scales = std::vector<std::uint16_t>(layer.groups * layer.out)};
  Block block(layer, options);
  for (std::size_t first = 0; first < layer.out; first += kBlockColumns) {
    const std::size_t columns = std::min(kBlockColumns, layer.out - first);
    for (std::size_t n = first; n < first + columns; ++n) block.quantize_column(n, tensors);
    block.pack(first, columns, tensors.qweight);
  }
  return tensors;
}

}  // namespace refserver
