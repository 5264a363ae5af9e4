// Where everything lies: tensor-core fragments, the tiles that weights are repacked into, the swizzle of activations in
// shared memory, and which block of a grid multiplies which tiles. Pure index arithmetic, checked exhaustively on the
// host.
//
// A product is Y^T = W^T * X^T: outputs are the 16 rows of a tensor-core tile and tokens its 8 columns, so that one
// token wastes 7 of 8 columns instead of 15 of 16 rows.
//
//   tile: 128 outputs x 128 inputs, the work of a block between two barriers
//
//          inputs 0 .. 63      64 .. 127
//     n 0  +--------------+--------------+
//          | warp 0, half 0 | half 1     |   a half: four 16x16 fragments, one after another along the inputs
//     n 16 +--------------+--------------+
//          | warp 1                      |
//          ...
//     n 128+--------------+--------------+
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/simt.hpp"

namespace kernels::cuda {

inline constexpr unsigned kTileOutputs = 128;
inline constexpr unsigned kTileInputs = 128;
inline constexpr unsigned kWarps = 8;        ///< of a block that multiplies; each has 16 outputs of a tile
inline constexpr unsigned kHalfInputs = 64;  ///< inputs that share one scale: groups are padded to multiples of it
inline constexpr unsigned kFragmentInputs = 16;

struct Place2 {
  unsigned row;
  unsigned col;
};

/// A of m16n8k16, 16 rows x 16 inputs: register r (0..3) of a lane holds two halves, h = 0 the lower.
PLUMBLINE_HOST_DEVICE constexpr Place2 a_place(unsigned lane, unsigned r, unsigned h) noexcept {
  return {lane / 4 + (r % 2) * 8, 2 * (lane % 4) + h + (r / 2) * 8};
}
/// B, 16 inputs (row) x 8 tokens (col): registers 0 and 1.
PLUMBLINE_HOST_DEVICE constexpr Place2 b_place(unsigned lane, unsigned r, unsigned h) noexcept {
  return {2 * (lane % 4) + h + r * 8, lane / 4};
}
/// C and D, 16 rows x 8 tokens: floats 0..3.
PLUMBLINE_HOST_DEVICE constexpr Place2 c_place(unsigned lane, unsigned i) noexcept {
  return {lane / 4 + (i / 2) * 8, 2 * (lane % 4) + i % 2};
}

/// Where a weight of a tile lies, for codes of 4, 8 or 16 bits (16: the half itself).
struct TilePlace {
  std::size_t word;  ///< 32-bit word within the tile
  unsigned shift;    ///< bit within the word
};

/// Words of a tile: 2048, 4096 or 8192.
PLUMBLINE_HOST_DEVICE constexpr std::size_t tile_words(unsigned bits) noexcept {
  return std::size_t{kTileOutputs} * kTileInputs * bits / 32;
}

/// Output n and input k of a tile (both 0 .. 127). A lane's four fragments of a half are bits / 4 vectors of 16 bytes;
/// vector v of all lanes is contiguous: [warp][half][v][lane].
///
/// Within a fragment's 4-bit word, half h of register r is nibble r + 4h, so that a mask leaves the two halves of a
/// register 16 bits apart. At 8 bits register r is half of word r / 2; at 16 bits it is word r.
PLUMBLINE_HOST_DEVICE constexpr TilePlace tile_place(unsigned n, unsigned k, unsigned bits) noexcept {
  const unsigned warp = n / 16;
  const unsigned half = k / kHalfInputs;
  const unsigned fragment = k % kHalfInputs / kFragmentInputs;
  const unsigned lane = n % 8 * 4 + k % 8 / 2;
  const unsigned r = n % 16 / 8 + k % 16 / 8 * 2;
  const unsigned h = k % 2;
  const unsigned words = bits / 4;  // of a fragment and of a lane: 1, 2 or 4
  const unsigned place = fragment * words + (bits == 4 ? 0 : bits == 8 ? r / 2 : r);
  const unsigned vector = place / 4;
  const std::size_t word = ((std::size_t{warp} * 2 + half) * words + vector) * simt::kLanes * 4 + lane * 4 + place % 4;
  const unsigned shift = bits == 4 ? 4 * (r + 4 * h) : bits == 8 ? 16 * (r % 2) + 8 * h : 16 * h;
  return {word, shift};
}

/// Byte of chunk `chunk` (16 bytes, 8 inputs; 0 .. 15) of a token's 128 inputs in shared memory. Eight tokens' same
/// chunk, as one phase of ldmatrix reads it, and eight chunks of a token, as they are written, lie in different banks.
PLUMBLINE_HOST_DEVICE constexpr unsigned swizzled(unsigned token, unsigned chunk) noexcept {
  return token * (kTileInputs * 2) + (chunk ^ (token % 8)) * 16;
}

/// The tiles of a matrix in order: down the inputs of one slice of 128 outputs, then the next slice. Every block of a
/// grid takes a contiguous stripe, so that all have the same work; it may end one slice and begin the next. The cut
/// depends on the matrix and the grid alone, never on the number of tokens: a token's sums are the same in any batch.
struct Stripes {
  std::uint32_t slices;       ///< of 128 outputs
  std::uint32_t slice_tiles;  ///< tiles of one slice
  std::uint32_t blocks;       ///< at most slices * slice_tiles

  PLUMBLINE_HOST_DEVICE constexpr std::uint32_t tiles() const noexcept { return slices * slice_tiles; }
  /// First tile of a block; begin(blocks) is the number of tiles.
  PLUMBLINE_HOST_DEVICE constexpr std::uint32_t begin(std::uint32_t block) const noexcept {
    return static_cast<std::uint32_t>(std::uint64_t{tiles()} * block / blocks);
  }
  /// The block that has a tile.
  PLUMBLINE_HOST_DEVICE constexpr std::uint32_t owner(std::uint32_t tile) const noexcept {
    const auto guess = static_cast<std::uint32_t>((std::uint64_t{tile} * blocks + blocks - 1) / tiles());
    // begin(b) <= tile is b <= (tile + 1) * blocks / tiles, less a little: the guess is that or one below.
    return guess + 1 < blocks && begin(guess + 1) <= tile ? guess + 1 : begin(guess) <= tile ? guess : guess - 1;
  }
  PLUMBLINE_HOST_DEVICE constexpr std::uint32_t first_block(std::uint32_t slice) const noexcept {
    return owner(slice * slice_tiles);
  }
  PLUMBLINE_HOST_DEVICE constexpr std::uint32_t last_block(std::uint32_t slice) const noexcept {
    return owner((slice + 1) * slice_tiles - 1);
  }
};

/// A block has part of at most two slices that it shares: the one it begins inside of (place 0) and the one whose
/// beginning it has and whose end it has not (place 1).
PLUMBLINE_HOST_DEVICE constexpr std::uint32_t partial_place(bool has_beginning) noexcept {
  return has_beginning ? 1 : 0;
}

}  // namespace kernels::cuda
