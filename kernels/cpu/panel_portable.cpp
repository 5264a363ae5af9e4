// Plain loops over 16 lanes, which the compiler turns into whatever vectors the baseline target has.
#include <array>

#include "kernels/cpu/panel_kernel.hpp"

namespace kernels {
namespace {

using Lanes = std::array<float, kPanelColumns>;

void add_group(const std::uint32_t* words, const float* x, std::size_t word_rows, Lanes& sum) {
  for (std::size_t w = 0; w < word_rows; ++w, words += kPanelColumns, x += kCodesPerWord) {
    for (std::size_t j = 0; j < kCodesPerWord; ++j) {
      for (std::size_t lane = 0; lane < kPanelColumns; ++lane) {
        // Through int: a vector conversion from unsigned does not exist before AVX-512.
        sum[lane] += x[j] * static_cast<float>(static_cast<int>(words[lane] >> 4 * j & 15U));
      }
    }
  }
}

}  // namespace

void multiply_panel_portable(const PanelTile& tile) {
  const PanelMatrix& matrix = tile.matrix;
  for (std::size_t row = 0; row < tile.rows; ++row) {
    const float* x = tile.x + row * matrix.word_rows() * kCodesPerWord;
    Lanes total{};
    std::size_t begin = 0;
    for (std::size_t g = 0; g < matrix.groups(); ++g) {
      const std::size_t end = matrix.group_ends()[g];
      Lanes sum{};
      add_group(matrix.words(tile.panel) + begin * kPanelColumns, x + begin * kCodesPerWord, end - begin, sum);
      const float* scales = matrix.scales(tile.panel) + g * kPanelColumns;
      const std::uint8_t* zeros = matrix.zeros(tile.panel) + g * kPanelColumns;
      const float x_sum = tile.sums[row * matrix.groups() + g];
      for (std::size_t lane = 0; lane < kPanelColumns; ++lane) {
        total[lane] += scales[lane] * (sum[lane] - static_cast<float>(zeros[lane]) * x_sum);
      }
      begin = end;
    }
    for (std::size_t lane = 0; lane < kPanelColumns; ++lane) tile.y[row * kPanelColumns + lane] = total[lane];
  }
}

}  // namespace kernels
