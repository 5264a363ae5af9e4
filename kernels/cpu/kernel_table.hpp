// The inner loops of the CPU backend as one table per instruction set. Knows layouts and nothing of threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/panel_matrix.hpp"

namespace kernels {

/// Rows of x arranged for a panel kernel: sorted and padded as the matrix is, step by step.
///
///   exact: floats [steps][rows][step_rows], float_sums [blocks][rows] of them
///   fast:  bytes  [steps][rows][step_rows], scales [blocks][rows]; x = scale * byte
///          offsets [blocks][rows]: less the sum of the bytes, times the middle code where the matrix is symmetric;
///          what a sum of code * byte starts with to come out as a sum of (code - zero) * byte
struct PackedRows {
  float* floats;
  float* float_sums;
  std::int8_t* bytes;
  std::int32_t* offsets;
  float* scales;
};

/// Panels first .. last of a matrix times 1..kernel rows of x. Writes y[row * y_stride + column].
struct PanelTile {
  const PanelMatrix& matrix;
  std::size_t first_panel;
  std::size_t last_panel;
  std::size_t rows;
  PackedRows x;
  float* y;
  std::size_t y_stride;
};

/// Blocks first .. last of row `row` of the `rows` rows of a tile: x is [in].
struct PackJob {
  const PanelMatrix& matrix;
  const float* x;
  std::size_t row;
  std::size_t rows;
  std::size_t first_block;
  std::size_t last_block;
  PackedRows to;
};

/// Outputs first .. last of plain weights [out][in] times some rows of x. Writes y[row * y_stride + output].
struct DenseTile {
  const DenseMatrix& matrix;
  const float* bias;  ///< [out] or null
  std::size_t first_out;
  std::size_t last_out;
  const float* x;  ///< [rows][x_stride]
  std::size_t x_stride;
  std::size_t rows;
  float* y;
  std::size_t y_stride;
};

/// Keys and values of one block and KV head, elements float or bfloat16:
///
///   keys    [block_tokens / 16][dim][16]   lane = token: a score needs no sum across lanes
///   values  [block_tokens][padded_dim]     lane = element; padding up to 16 is 0
struct KvPages {
  const std::byte* keys;    ///< of block 0, this layer and head
  const std::byte* values;  ///< the same
  std::size_t block_bytes;  ///< from block to block, keys as well as values
  std::size_t block_tokens;
  std::size_t dim;
  std::size_t padded_dim;
  bool bf16;
};

inline constexpr std::size_t kQueriesAtOnce = 8;

/// Up to eight queries that read the same pages: rows of one sequence times the heads of one KV head.
struct AttentionTile {
  KvPages pages;
  const std::int32_t* blocks;
  std::size_t queries;                  ///< 1..kQueriesAtOnce
  const float* q[kQueriesAtOnce];       ///< [dim]
  float* y[kQueriesAtOnce];             ///< [dim]
  std::size_t visible[kQueriesAtOnce];  ///< positions 0 .. visible - 1; at least 1
  float* scratch;                       ///< [kQueriesAtOnce][padded_dim]
  float scale;                          ///< 1 / sqrt(dim)
  const std::byte* next_keys;           ///< where the tile after this one will probably begin to read, or null
  const std::byte* next_values;
};

struct KernelTable {
  const char* name;
  std::size_t exact_rows;  ///< most rows of an exact tile
  std::size_t fast_rows;   ///< most rows of a fast tile
  void (*pack_exact)(const PackJob&);
  void (*pack_fast)(const PackJob&);
  void (*multiply_exact)(const PanelTile&);
  void (*multiply_fast)(const PanelTile&);
  void (*multiply_dense)(const DenseTile&);
  /// One row: x += delta unless delta is null, then y = x / rms(x) * weight.
  void (*rmsnorm)(const float* delta, float* x, const float* weight, float epsilon, float* y, std::size_t cols);
  void (*silu_mul)(const float* gate, const float* up, float* y, std::size_t cols);
  /// One head in place: pairs (i, i + half) by angles with these cosines and sines, [half].
  void (*rotate)(float* x, const float* cosines, const float* sines, std::size_t half);
  void (*attend)(const AttentionTile&);
  /// First index from `begin` on whose value is greater than `bar`, or `end`.
  std::size_t (*find_greater)(const float* x, std::size_t begin, std::size_t end, float bar);
  /// The greatest of `count` logits; NaN if one of them is. -infinity of nothing.
  float (*greatest)(const float* logits, std::size_t count);
  /// The masses of all logits beside the greatest at temperature 1 (sampling.hpp); no NaN, `greatest` finite.
  std::uint64_t (*total_mass)(const float* logits, std::size_t count, float greatest);
  /// Of `count` floats, in whatever order reads memory fastest.
  float (*sum)(const float* x, std::size_t count);
};

/// Null where this build or this machine lacks the instructions.
const KernelTable* find_kernels_avx512();  ///< AVX-512 F, BW, DQ, VL and VNNI
const KernelTable* find_kernels_avx2();    ///< AVX2, FMA and F16C
const KernelTable* find_kernels_portable();

/// The first of these that this machine can run.
const KernelTable& fastest_kernels();

}  // namespace kernels
