// A panel of packed codes times a tile of rows, exact and fast, for the instruction set of the including file.
//
// Why batches do not change bits: a column of a row is one chain of additions whose order depends on the matrix alone
// (two chains per block in the exact kernel, joined at its end), however many rows and panels share the registers.
#pragma once

#include "kernels/cpu/kernel_table.hpp"
#include "kernels/cpu/simd.hpp"

namespace kernels::PLUMBLINE_SIMD {

inline constexpr std::size_t kMemoryBoundRows = 2;  ///< up to here fast products wait for codes
inline constexpr std::size_t kPrefetchSteps = 64;   ///< ahead on the weight stream: 4 KiB

/// The panels a kernel takes at once.
template <std::size_t P>
struct Stream {
  const std::uint8_t* codes[P];
  std::size_t steps;
  std::size_t jump;  ///< from the end of a panel to where its kernel goes on: over the panels beside it
};

template <std::size_t P>
PLUMBLINE_INLINE Stream<P> stream_of(const PanelMatrix& matrix, std::size_t panel) {
  Stream<P> stream{{}, matrix.steps(), (P - 1) * matrix.panel_bytes()};
  for (std::size_t p = 0; p < P; ++p) stream.codes[p] = matrix.codes(panel + p);
  return stream;
}

/// Asks for what each panel will need later. Half of a short panel lies ahead of its end: there the panels beside it
/// are already here, and the ones after them are wanted.
template <std::size_t P>
PLUMBLINE_INLINE void prefetch_ahead(const Stream<P>& stream, std::size_t step) {
  const std::size_t ahead = step + kPrefetchSteps;
  const std::size_t offset = ahead * kStepBytes + (ahead < stream.steps ? 0 : stream.jump);
  for (std::size_t p = 0; p < P; ++p) prefetch(stream.codes[p] + offset);
}

/// Asks for a block's scales and zero points of the panels after these. They are a trickle beside the codes, which
/// hardware loses sight of, and waiting for one costs as much as a block.
template <std::size_t P>
PLUMBLINE_INLINE void prefetch_scales(const PanelMatrix& matrix, std::size_t panel, std::size_t block) {
  for (std::size_t p = 0; p < P; ++p) {
    prefetch(matrix.scales(panel + P + p) + block * kPanelColumns);
    const std::uint8_t* zeros = matrix.zeros(panel + P + p);
    if (zeros != nullptr) prefetch(zeros + block * kPanelColumns);
  }
}

/// Writes the 16 columns of one row of a panel, fewer at the right edge, with the bias added.
PLUMBLINE_INLINE void store_columns(const PanelTile& tile, std::size_t panel, std::size_t row, F32 total) {
  const float* bias = tile.matrix.bias(panel);
  if (bias != nullptr) total = add(total, load(bias));
  float* to = tile.y + row * tile.y_stride + panel * kPanelColumns;
  const std::size_t left = tile.matrix.out() - panel * kPanelColumns;
  if (left >= kPanelColumns) {
    store(to, total);
  } else {
    store_part(to, total, left);
  }
}

/// One block of integer products: acc[r][p] = sum over the block of code * byte of x.
template <int Bits, std::size_t R, std::size_t P>
PLUMBLINE_INLINE void dot_block(const Stream<P>& stream, const std::int8_t* x, std::size_t begin, std::size_t end,
                                I32 (&acc)[R][P]) {
  constexpr std::size_t kWidth = 32 / Bits;
  // Few rows would wait for their own sums: the upper nibbles get sums apart. Integers: the order does not matter.
  constexpr bool kApart = Bits == 4 && R <= kMemoryBoundRows;
  [[maybe_unused]] I32 upper[kApart ? R : 1][P];
  if constexpr (kApart) {  // written so that sums nobody uses are not cleared in memory for every block
    for (auto& row : upper) {
      for (I32& sums : row) sums = izero();
    }
  }
  for (std::size_t step = begin; step < end; ++step) {
    Line low[P], high[P];
    prefetch_ahead(stream, step);
    for (std::size_t p = 0; p < P; ++p) {
      const Line line = load_line(stream.codes[p] + step * kStepBytes);
      low[p] = Bits == 4 ? low_nibbles(line) : line;
      if (Bits == 4) high[p] = high_nibbles(line);
    }
    const std::int8_t* at = x + step * R * kWidth;
#pragma GCC unroll 8
    for (std::size_t r = 0; r < R; ++r) {
      const Line first = repeat4(at + r * kWidth);
      for (std::size_t p = 0; p < P; ++p) {
        acc[r][p] = Bits == 4 ? dot_nibbles(acc[r][p], low[p], first) : dot_bytes(acc[r][p], low[p], first);
      }
      if (Bits != 4) continue;
      const Line second = repeat4(at + r * kWidth + 4);
      for (std::size_t p = 0; p < P; ++p) {
        if constexpr (kApart) {
          upper[r][p] = dot_nibbles(upper[r][p], high[p], second);
        } else {
          acc[r][p] = dot_nibbles(acc[r][p], high[p], second);
        }
      }
    }
  }
  if constexpr (kApart) {
    for (std::size_t r = 0; r < R; ++r) {
      for (std::size_t p = 0; p < P; ++p) acc[r][p] = iadd(acc[r][p], upper[r][p]);
    }
  }
}

/// Multiplication and addition apart, not fused: the same bits on every instruction set, portable included.
template <int Bits, std::size_t R, std::size_t P>
PLUMBLINE_TARGET void multiply_fast_panels(const PanelTile& tile, std::size_t panel) {
  const PanelMatrix& matrix = tile.matrix;
  const Stream<P> stream = stream_of<P>(matrix, panel);
  F32 totals[R][P];
  for (auto& row : totals) {
    for (F32& total : row) total = zero();
  }
  const std::size_t* ends = matrix.block_ends().data();
  const std::size_t blocks = matrix.blocks();
  std::size_t begin = 0;
  for (std::size_t b = 0; b < blocks; ++b) {
    if constexpr (R > kMemoryBoundRows) prefetch_scales<P>(matrix, panel, b);
    I32 acc[R][P];
#pragma GCC unroll 2
    for (std::size_t p = 0; p < P; ++p) {
      const std::uint8_t* zeros = matrix.zeros(panel + p);
#pragma GCC unroll 8
      for (std::size_t r = 0; r < R; ++r) {
        acc[r][p] = iset(tile.x.offsets[b * R + r]);
        if (zeros != nullptr) acc[r][p] = imul(acc[r][p], load_u8(zeros + b * kPanelColumns));
      }
    }
    dot_block<Bits, R, P>(stream, tile.x.bytes, begin, ends[b], acc);
    begin = ends[b];
#pragma GCC unroll 2
    for (std::size_t p = 0; p < P; ++p) {
      const F32 scale = load_half(matrix.scales(panel + p) + b * kPanelColumns);
#pragma GCC unroll 8
      for (std::size_t r = 0; r < R; ++r) {
        const F32 factor = mul(scale, set(tile.x.scales[b * R + r]));
        totals[r][p] = add(totals[r][p], mul(to_floats(acc[r][p]), factor));
      }
    }
  }
  for (std::size_t r = 0; r < R; ++r) {
    for (std::size_t p = 0; p < P; ++p) store_columns(tile, panel + p, r, totals[r][p]);
  }
}

/// Row J of a step, for every row of x: chain J % 2 of each sum.
template <int Bits, int J, std::size_t R, std::size_t P>
PLUMBLINE_INLINE void add_row(const Line (&lines)[P], const float* x, F32 (&chains)[R][P][2]) {
  constexpr int kWidth = 32 / Bits;
  if constexpr (J < kWidth) {
    F32 weights[P];
    for (std::size_t p = 0; p < P; ++p) {
      if constexpr (Bits == 4) {
        weights[p] = nibble_less_8<8 * (J % 4) + 4 * (J / 4)>(lines[p]);
      } else {
        weights[p] = byte_less_128<8 * (J % 4)>(lines[p]);
      }
    }
#pragma GCC unroll 6
    for (std::size_t r = 0; r < R; ++r) {
      const F32 value = set(x[r * kWidth + J]);
      for (std::size_t p = 0; p < P; ++p) chains[r][p][J % 2] = fma(value, weights[p], chains[r][p][J % 2]);
    }
  }
}

template <int Bits, std::size_t R, std::size_t P>
PLUMBLINE_INLINE void add_block(const Stream<P>& stream, const float* x, std::size_t begin, std::size_t end,
                                F32 (&chains)[R][P][2]) {
  for (std::size_t step = begin; step < end; ++step) {
    Line lines[P];
    prefetch_ahead(stream, step);
    for (std::size_t p = 0; p < P; ++p) lines[p] = load_line(stream.codes[p] + step * kStepBytes);
    const float* at = x + step * R * (32 / Bits);
    add_row<Bits, 0>(lines, at, chains);
    add_row<Bits, 1>(lines, at, chains);
    add_row<Bits, 2>(lines, at, chains);
    add_row<Bits, 3>(lines, at, chains);
    add_row<Bits, 4>(lines, at, chains);
    add_row<Bits, 5>(lines, at, chains);
    add_row<Bits, 6>(lines, at, chains);
    add_row<Bits, 7>(lines, at, chains);
  }
}

/// The middle of the range leaves with the expansion of the code, so that symmetric weights multiply exactly as they
/// are; what a zero point differs from the middle is taken off once per block.
template <int Bits, std::size_t R, std::size_t P>
PLUMBLINE_TARGET void multiply_exact_panels(const PanelTile& tile, std::size_t panel) {
  const PanelMatrix& matrix = tile.matrix;
  const Stream<P> stream = stream_of<P>(matrix, panel);
  F32 totals[R][P];
  for (auto& row : totals) {
    for (F32& total : row) total = zero();
  }
  const std::size_t* ends = matrix.block_ends().data();
  const std::size_t blocks = matrix.blocks();
  std::size_t begin = 0;
  for (std::size_t b = 0; b < blocks; ++b) {
    F32 chains[R][P][2];
    for (auto& row : chains) {
      for (auto& pair : row) pair[0] = pair[1] = zero();
    }
    add_block<Bits, R, P>(stream, tile.x.floats, begin, ends[b], chains);
    begin = ends[b];
#pragma GCC unroll 2
    for (std::size_t p = 0; p < P; ++p) {
      const F32 scale = load_half(matrix.scales(panel + p) + b * kPanelColumns);
      const std::uint8_t* zeros = matrix.zeros(panel + p);
      const I32 middle = iset(1 << (Bits - 1));
      const F32 excess = zeros == nullptr ? zero() : to_floats(isub(middle, load_u8(zeros + b * kPanelColumns)));
#pragma GCC unroll 6
      for (std::size_t r = 0; r < R; ++r) {
        F32 product = add(chains[r][p][0], chains[r][p][1]);
        if (zeros != nullptr) product = fma(excess, set(tile.x.float_sums[b * R + r]), product);
        totals[r][p] = fma(scale, product, totals[r][p]);
      }
    }
  }
  for (std::size_t r = 0; r < R; ++r) {
    for (std::size_t p = 0; p < P; ++p) store_columns(tile, panel + p, r, totals[r][p]);
  }
}

enum class Sums : std::uint8_t { exact, fast };

/// All panels of a tile of exactly R rows, as many at once as the registers hold.
template <Sums Kind, int Bits, std::size_t R>
PLUMBLINE_TARGET void multiply_rows(const PanelTile& tile) {
  // Panels share what is done for each element of x. For few rows memory is the limit, and it likes one stream best.
  constexpr std::size_t kTogether = Kind == Sums::fast && R <= kMemoryBoundRows ? 1 : kPanelsAtOnce;
  std::size_t panel = tile.first_panel;
  if constexpr (kTogether > 1) {
    for (; panel + kTogether <= tile.last_panel; panel += kTogether) {
      if constexpr (Kind == Sums::exact) {
        multiply_exact_panels<Bits, R, kTogether>(tile, panel);
      } else {
        multiply_fast_panels<Bits, R, kTogether>(tile, panel);
      }
    }
  }
  for (; panel < tile.last_panel; ++panel) {
    if constexpr (Kind == Sums::exact) {
      multiply_exact_panels<Bits, R, 1>(tile, panel);
    } else {
      multiply_fast_panels<Bits, R, 1>(tile, panel);
    }
  }
}

/// Finds the instantiation for the tile's number of rows, from R downwards.
template <Sums Kind, int Bits, std::size_t R>
void multiply_at_most(const PanelTile& tile) {
  if (tile.rows == R) return multiply_rows<Kind, Bits, R>(tile);
  if constexpr (R > 1) multiply_at_most<Kind, Bits, R - 1>(tile);
}

template <Sums Kind, std::size_t R>
void multiply(const PanelTile& tile) {
  if (tile.matrix.bits() == 8) return multiply_at_most<Kind, 8, R>(tile);
  multiply_at_most<Kind, 4, R>(tile);
}

}  // namespace kernels::PLUMBLINE_SIMD
