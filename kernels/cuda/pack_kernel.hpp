// A checkpoint's layer into tiles and back to plain halves, on the device: one lane per word or per vector. The same
// index map as pack.cpp, read the other way.
#pragma once

#include "kernels/cuda/dequant.hpp"
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
struct PackKernel : RowKernel {
  using Args = PackArgs;

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
struct PackHalvesKernel : RowKernel {
  using Args = PackHalvesArgs;

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
  std::uint16_t* to;    ///< [outputs of these slices][padded_in] halves
  std::uint64_t count;  ///< vectors of 16 bytes of these slices' weights
  std::uint32_t first_slice;
  std::uint32_t slices;  ///< of the whole matrix
  std::uint32_t slice_tiles;
  std::uint32_t group_halves;
  std::uint32_t bits;  ///< 4, 8 or 16
};

/// Whole slices of 128 outputs as plain rows of halves, for a library's product: scale times (code less zero point),
/// rounded once. One thread per vector: four, two or one fragment's words of a lane.
struct DequantKernel : RowKernel {
  using Args = DequantArgs;

  static PLUMBLINE_KERNEL void run(const Args& args) {
    const std::uint64_t index = std::uint64_t{simt::block_index()} * kThreads + simt::thread_index();
    if (index >= args.count) return;
    if (args.bits == 4) {
      expand<Int4Codec>(args, index);
    } else if (args.bits == 8) {
      expand<Int8Codec>(args, index);
    } else {
      expand<HalfCodec>(args, index);
    }
  }

 private:
  template <class Codec>
  static PLUMBLINE_KERNEL void expand(const Args& args, std::uint64_t index) {
    constexpr unsigned kVectors = Codec::kBits / 4;
    constexpr unsigned kFragments = 4 / kVectors;
    const std::size_t skipped = std::size_t{args.first_slice} * args.slice_tiles * tile_words(Codec::kBits);
    const simt::Vec4 vector = reinterpret_cast<const simt::Vec4*>(args.weights + skipped)[index];
    const auto tile = static_cast<std::uint32_t>(index / (tile_words(Codec::kBits) / 4));
    const auto lane = static_cast<unsigned>(index % simt::kLanes);
    const auto run = static_cast<unsigned>(index / simt::kLanes % (2 * kWarps * kVectors));
    const unsigned half = run / kVectors % 2;
    // The first of the two outputs of the lane, and the run of 64 inputs.
    const std::uint32_t n = tile / args.slice_tiles * kTileOutputs + run / kVectors / 2 * 16 + lane / 4;
    const std::uint32_t half_place = tile % args.slice_tiles * 2 + half;
    std::uint32_t scale = 0;
    std::uint32_t scale8 = 0;
    ZeroPoint first = zero_point(Codec::kMiddle);
    ZeroPoint second = first;
    if constexpr (Codec::kBits < 16) {
      const std::size_t column = std::size_t{half_place / args.group_halves} * args.slices * kTileOutputs +
                                 std::size_t{args.first_slice} * kTileOutputs + n;
      scale = args.scales[column] * 0x10001U;
      scale8 = args.scales[column + 8] * 0x10001U;
      if (args.zeros != nullptr) {
        first = zero_point(args.zeros[column]);
        second = zero_point(args.zeros[column + 8]);
      }
    }
    const std::size_t row_words = std::size_t{args.slice_tiles} * kTileInputs / 2;
    const unsigned skipped_fragments = run % kVectors * kFragments;
    auto* const to = reinterpret_cast<std::uint32_t*>(args.to) + n * row_words +
                     std::size_t{half_place} * kHalfInputs / 2 + skipped_fragments * kFragmentInputs / 2 + lane % 4;
    PLUMBLINE_UNROLL
    for (unsigned f = 0; f < kFragments; ++f) {
      std::uint32_t a[4];
      Codec::expand(vector.word, f, first, second, a);
      PLUMBLINE_UNROLL
      for (unsigned r = 0; r < 4; ++r) {  // as a_place says
        constexpr std::uint32_t kNegativeZeros = 0x80008000U;
        if constexpr (Codec::kBits < 16) a[r] = simt::fused_halves(a[r], r % 2 == 0 ? scale : scale8, kNegativeZeros);
        to[r % 2 * 8 * row_words + f * kFragmentInputs / 2 + r / 2 * 4] = a[r];
      }
    }
  }
};

}  // namespace kernels::cuda
