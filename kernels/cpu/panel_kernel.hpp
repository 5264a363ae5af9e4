// One panel times a few rows of activations: the inner loop of the CPU backend, once per instruction set.
// Knows the panel layout and nothing of threads or memory.
#pragma once

#include <cstddef>

#include "kernels/cpu/panel_matrix.hpp"

namespace kernels {

/// At most this many rows of x share one pass over the weights.
inline constexpr std::size_t kTileRows = 4;

/// One call of a kernel. `rows` is 1..kTileRows.
struct PanelTile {
  const PanelMatrix& matrix;
  std::size_t panel;
  std::size_t rows;
  const float* x;     ///< [rows][8 * word_rows], arranged by the matrix
  const float* sums;  ///< [rows][groups]: sum of x over each group
  float* y;           ///< [rows][16], written
};

/// y[n] = sum over groups of scale[n] * (sum of x·code[n] - zero[n] * sum of x). The zero point leaves the inner loop,
/// which is then: word, shift, mask, convert, multiply-add.
using PanelKernel = void (*)(const PanelTile& tile);

void multiply_panel_portable(const PanelTile& tile);

/// Null where this build or this machine has no AVX2 with FMA.
PanelKernel find_panel_kernel_avx2();

}  // namespace kernels
