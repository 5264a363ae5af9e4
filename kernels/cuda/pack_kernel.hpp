// A checkpoint's layer into tiles and back to plain halves, on the device: one lane per word or per number. The same
// index map as pack.cpp, read the other way.
#pragma once

#include "kernels/cuda/fragments.hpp"
#include "kernels/cuda/row_kernels.hpp"
#include "kernels/cuda/simt.hpp"

namespace kernels::cuda {

/// What tile_place maps to a word: its outputs and inputs within a tile, for every shift.
PLUMBLINE_HOST_DEVICE constexpr Place2 tile_source(std::size_t word, unsigned shift, unsigned bits) noexcept {
  const unsigned words = bits / 4;
  const auto vectors = static_cast<unsigned>(word / 4);
  const unsigned lane = vectors % simt::kLanes;
  const unsigned place = vectors / simt::kLanes % words * 4 + static_cast<unsigned>(word % 4);
  const unsigned half = vectors / simt::kLanes / words % 2;
  const unsigned warp = vectors / simt::kLanes / words / 2;
  const unsigned fragment = place / words;
  const unsigned r = bits == 4 ? shift / 4 % 4 : bits == 8 ? place % 2 * 2 + shift / 16 : place % 4;
  const unsigned h = bits == 4 ? shift / 16 : bits == 8 ? shift / 8 % 2 : shift / 16;
  const Place2 within = a_place(lane, r, h);
  return {warp * 16 + within.row, half * kHalfInputs + fragment * kFragmentInputs + within.col};
}

struct PackArgs {
  const std::uint32_t* codes;  ///< as stored: [in / per word][out]
  const std::int32_t* order;   ///< [slice_tiles * 128] or null, as StageArgs
  std::uint32_t* words;        ///< tiles of the whole matrix
  std::uint64_t count;         ///< words of the slices that get something
  std::uint32_t in;
  std::uint32_t out;           ///< of this part
  std::uint32_t first_output;  ///< of the matrix that is output 0 of this part; the words begin with its slice
  std::uint32_t slice_tiles;
  std::uint32_t bits;  ///< 4 or 8
};

/// Adds one part's codes to the tiles of a matrix that began as zeros. One thread per word.
struct PackKernel {
  using Args = PackArgs;
  static constexpr unsigned kThreads = kRowThreads;
  static constexpr unsigned kMinBlocks = 1;
  static constexpr unsigned kSharedBytes = 0;

  static PLUMBLINE_KERNEL void run(const Args& args) {
    const std::uint64_t index = std::uint64_t{simt::block_index()} * kThreads + simt::thread_index();
    if (index >= args.count) return;
    const std::size_t words = tile_words(args.bits);
    const std::uint64_t tile = index / words;
    const auto slice = static_cast<std::uint32_t>(tile / args.slice_tiles);
    const auto first_place = static_cast<std::uint32_t>(tile % args.slice_tiles) * kTileInputs;
    const std::uint32_t per_word = 32 / args.bits;
    std::uint32_t word = 0;
    for (unsigned shift = 0; shift < 32; shift += args.bits) {
      const Place2 from = tile_source(index % words, shift, args.bits);
      const std::uint32_t n = slice * kTileOutputs + from.row - args.first_output % kTileOutputs;
      const std::uint32_t place = first_place + from.col;
      std::int32_t k = place < args.in ? static_cast<std::int32_t>(place) : -1;
      if (args.order != nullptr) k = args.order[place];
      if (n >= args.out || k < 0) continue;  // n has wrapped round before the part's first output
      const auto row = static_cast<std::uint32_t>(k);
      const std::uint32_t stored = args.codes[std::size_t{row / per_word} * args.out + n];
      word |= (stored >> (row % per_word * args.bits) & ((1U << args.bits) - 1)) << shift;
    }
    args.words[std::size_t{args.first_output / kTileOutputs} * args.slice_tiles * words + index] |= word;
  }
};

struct PackHalvesArgs {
  const std::uint16_t* halves;  ///< [out][in]: some of a matrix's outputs, from the beginning of a slice on
  std::uint32_t* words;         ///< tiles of those slices
  std::uint64_t count;          ///< words
  std::uint32_t in;
  std::uint32_t out;
  std::uint32_t slice_tiles;
};

/// Plain halves into tiles, zeros where there is none. One thread per word.
struct PackHalvesKernel {
  using Args = PackHalvesArgs;
  static constexpr unsigned kThreads = kRowThreads;
  static constexpr unsigned kMinBlocks = 1;
  static constexpr unsigned kSharedBytes = 0;

  static PLUMBLINE_KERNEL void run(const Args& args) {
    const std::uint64_t index = std::uint64_t{simt::block_index()} * kThreads + simt::thread_index();
    if (index >= args.count) return;
    const std::uint64_t tile = index / tile_words(16);
    std::uint32_t word = 0;
    for (unsigned shift = 0; shift < 32; shift += 16) {
      const Place2 from = tile_source(index % tile_words(16), shift, 16);
      const auto n = static_cast<std::uint32_t>(tile / args.slice_tiles) * kTileOutputs + from.row;
      const auto k = static_cast<std::uint32_t>(tile % args.slice_tiles) * kTileInputs + from.col;
      if (n < args.out && k < args.in) word |= std::uint32_t{args.halves[std::size_t{n} * args.in + k]} << shift;
    }
    args.words[index] = word;
  }
};

struct DequantArgs {
  const std::uint32_t* weights;  ///< as MatmulArgs
  const std::uint16_t* scales;
  const std::uint8_t* zeros;
  std::uint16_t* to;  ///< [count / padded_in][padded_in] halves
  std::uint64_t count;
  std::uint32_t first_slice;
  std::uint32_t slices;  ///< of the whole matrix
  std::uint32_t slice_tiles;
  std::uint32_t group_halves;
  std::uint32_t bits;  ///< 4, 8 or 16
};

/// Whole slices of 128 outputs as plain rows of halves, for a library's product. One thread per number.
struct DequantKernel {
  using Args = DequantArgs;
  static constexpr unsigned kThreads = kRowThreads;
  static constexpr unsigned kMinBlocks = 1;
  static constexpr unsigned kSharedBytes = 0;

  static PLUMBLINE_KERNEL void run(const Args& args) {
    const std::uint64_t index = std::uint64_t{simt::block_index()} * kThreads + simt::thread_index();
    if (index >= args.count) return;
    const std::uint32_t padded_in = args.slice_tiles * kTileInputs;
    const auto place = static_cast<std::uint32_t>(index % padded_in);
    const auto n = static_cast<std::uint32_t>(index / padded_in) + args.first_slice * kTileOutputs;
    const TilePlace at = tile_place(n % kTileOutputs, place % kTileInputs, args.bits);
    const std::size_t tile = std::size_t{n / kTileOutputs} * args.slice_tiles + place / kTileInputs;
    const std::uint32_t code =
        args.weights[tile * tile_words(args.bits) + at.word] >> at.shift & ((1U << args.bits) - 1);
    if (args.bits == 16) {
      args.to[index] = static_cast<std::uint16_t>(code);
      return;
    }
    const std::size_t group = place / kHalfInputs / args.group_halves;
    const std::size_t column = group * args.slices * kTileOutputs + n;
    const int zero = args.zeros == nullptr ? 1 << (args.bits - 1) : args.zeros[column];
    const float value = simt::half_to_float(args.scales[column]) * static_cast<float>(static_cast<int>(code) - zero);
    args.to[index] = simt::float_to_half(value);
  }
};

}  // namespace kernels::cuda
