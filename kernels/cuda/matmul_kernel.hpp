// The product of quantised or half-precision weights with rows of activations, on tensor cores: one token or
// sixty-four, the same weights in the same order. Each block streams its stripe of tiles (fragments.hpp) through a ring
// of stages in shared memory; codes become halves in registers; sums are float.
//
// A row's result has the same bits whatever rows are beside it: the order of its sums is fixed by the stripes, which
// are the same for every number of tokens, and blocks that share a slice are summed in their order by whichever comes
// last.
#pragma once

#include "kernels/cuda/dequant.hpp"
#include "kernels/cuda/fragments.hpp"
#include "kernels/cuda/simt.hpp"

namespace kernels::cuda {

/// One launch: at most Tokens rows of staged x (StageKernel).
struct MatmulArgs {
  const std::uint32_t* weights;  ///< [slices][slice_tiles][tile_words]
  const std::uint16_t* scales;   ///< halves, [groups][slices * 128]; null for 16-bit weights
  const std::uint8_t* zeros;     ///< zero points, [groups][slices * 128]; null: 8, or 128 at 8 bits
  const std::uint16_t* x;        ///< halves, [Tokens][slice_tiles * 128]; rows beyond the real ones may hold anything
  const float* row_scales;       ///< [rows]: what a row of y is multiplied by
  const float* bias;             ///< [out] or null
  float* y;                      ///< row r begins at y + r * y_stride
  std::size_t y_stride;
  std::uint32_t rows;
  std::uint32_t terms;  ///< rows of x per row of y: 1, or 2 whose products are added (a float in two halves)
  std::uint32_t out;
  std::uint32_t group_halves;  ///< halves of a tile (64 inputs) that share a scale
  Stripes stripes;
  simt::Float4* partials;   ///< [blocks][2][warps][Tokens / 8][lanes]
  std::uint32_t* arrivals;  ///< [slices], zero; left zero
};

/// y[row][n] from a sum over the inputs.
PLUMBLINE_KERNEL void write_output(const MatmulArgs& args, std::uint32_t row, std::uint32_t n, float sum) {
  if (row >= args.rows || n >= args.out) return;
  const float bias = args.bias == nullptr ? 0.0F : args.bias[n];
  args.y[row * args.y_stride + n] = simt::fused(sum, args.row_scales[row], bias);
}
/// A lane's places of a 16x8 tile (c_place): the first is of column `token` and output n.
PLUMBLINE_KERNEL void write_outputs(const MatmulArgs& args, std::uint32_t token, std::uint32_t n,
                                    const float (&four)[4]) {
  if (args.terms == 2) {
    write_output(args, token / 2, n, four[0] + four[1]);
    write_output(args, token / 2, n + 8, four[2] + four[3]);
  } else {
    write_output(args, token, n, four[0]);
    write_output(args, token + 1, n, four[1]);
    write_output(args, token, n + 8, four[2]);
    write_output(args, token + 1, n + 8, four[3]);
  }
}

/// Tokens: columns of the tensor-core products of a block, a multiple of 8 up to 64. Stages: tiles of shared memory;
/// all but one are on their way while one is multiplied.
template <class Codec, unsigned Tokens, unsigned Stages = Codec::kStages>
struct MatmulKernel {
  using Args = MatmulArgs;
  static constexpr bool kWaitsItself = true;  ///< for the kernels before it, after starting on the weights
  static constexpr unsigned kThreads = kWarps * simt::kLanes;
  /// That should fit the registers of a processor: two where its shared memory has room for them.
  static constexpr unsigned kMinBlocks = Codec::kBits == 4 && Tokens <= 32 ? 2 : 1;

  static constexpr bool kHasScales = Codec::kBits < 16;
  static constexpr unsigned kWeightBytes = static_cast<unsigned>(tile_words(Codec::kBits)) * 4;
  static constexpr unsigned kActivationBytes = Tokens * kTileInputs * 2;
  static constexpr unsigned kScaleBytes = kHasScales ? 2 * kTileOutputs * 2 : 0;
  static constexpr unsigned kZeroBytes = kHasScales ? 2 * kTileOutputs : 0;
  static constexpr unsigned kStageBytes = kWeightBytes + kActivationBytes + kScaleBytes + kZeroBytes;
  static constexpr unsigned kSharedBytes = Stages * kStageBytes;
  static_assert(kSharedBytes <= (Stages == Codec::kStages ? 99 : 113) * 1024,
                "more than a block may have on compute capability 8.6 and 8.9, or than half of what 9.0 has");

  static constexpr unsigned kColumns = Tokens / 8;        ///< of tensor-core tiles
  static constexpr unsigned kVectors = Codec::kBits / 4;  ///< of 16 bytes: a lane's codes of a half

  /// The sums of a lane: its places of each 16x8 tile (c_place).
  struct Sums {
    float at[kColumns][4];
  };

  /// A tile by its number, its slice and its place in the slice.
  struct Cursor {
    std::uint32_t tile;
    std::uint32_t slice;
    std::uint32_t place;

    PLUMBLINE_KERNEL void next(std::uint32_t slice_tiles) {
      ++tile;
      if (++place == slice_tiles) {
        place = 0;
        ++slice;
      }
    }
  };

  static PLUMBLINE_KERNEL void run(const Args& args) {
    const std::uint32_t begin = args.stripes.begin(simt::block_index());
    const std::uint32_t end = args.stripes.begin(simt::block_index() + 1);
    Cursor loading{begin, begin / args.stripes.slice_tiles, begin % args.stripes.slice_tiles};
    Cursor working = loading;
    Sums sums{};
    begin_loading(args, loading, end);
    unsigned load_stage = Stages - 1;
    const auto load_next = [&] {
      if (loading.tile < end) {
        unsigned char* const to = simt::shared_memory() + load_stage * kStageBytes;
        load_weights(args, loading, to);
        load_x(args, loading, to);
        loading.next(args.stripes.slice_tiles);
      }
      simt::commit_copies();  // an empty group too: waiting counts groups
      load_stage = load_stage + 1 == Stages ? 0 : load_stage + 1;
    };
    unsigned stage = 0;
    while (working.tile < end) {
      simt::wait_copies<static_cast<int>(Stages) - 2>();
      simt::sync_threads();  // the tile is there for all; and all are done with the stage that is filled next
      load_next();
      multiply(args, simt::shared_memory() + stage * kStageBytes, sums);
      stage = stage + 1 == Stages ? 0 : stage + 1;
      const std::uint32_t slice = working.slice;
      working.next(args.stripes.slice_tiles);
      if (working.slice != slice || working.tile == end) finish(args, slice, begin, end, sums);
    }
  }

 private:
  /// Fills all stages but one. Weights do not wait for the kernel before this one, only x does.
  static PLUMBLINE_KERNEL void begin_loading(const Args& args, Cursor& loading, std::uint32_t end) {
    Cursor ahead = loading;
    for (unsigned i = 0; i + 1 < Stages && ahead.tile < end; ++i) {
      load_weights(args, ahead, simt::shared_memory() + i * kStageBytes);
      ahead.next(args.stripes.slice_tiles);
    }
    simt::wait_for_earlier_kernels();
    for (unsigned i = 0; i + 1 < Stages; ++i) {
      if (loading.tile < end) {
        load_x(args, loading, simt::shared_memory() + i * kStageBytes);
        loading.next(args.stripes.slice_tiles);
      }
      simt::commit_copies();
    }
  }

  /// Starts the copies of one tile's codes, scales and zero points.
  static PLUMBLINE_KERNEL void load_weights(const Args& args, const Cursor& at, unsigned char* stage) {
    const unsigned thread = simt::thread_index();
    // Codes: every lane copies what it will read itself, front to back over the matrix.
    const auto* const tile = reinterpret_cast<const unsigned char*>(args.weights) + std::size_t{at.tile} * kWeightBytes;
    const unsigned lane_bytes = (thread / simt::kLanes * 2 * kVectors * simt::kLanes + thread % simt::kLanes) * 16;
    PLUMBLINE_UNROLL
    for (unsigned v = 0; v < 2 * kVectors; ++v) {
      const unsigned offset = lane_bytes + v * simt::kLanes * 16;
      simt::copy_async_once(stage + offset, tile + offset);
    }
    if constexpr (kHasScales) load_scales(args, at, stage + kWeightBytes + kActivationBytes);
  }
  /// And of its part of x.
  static PLUMBLINE_KERNEL void load_x(const Args& args, const Cursor& at, unsigned char* stage) {
    const unsigned thread = simt::thread_index();
    unsigned char* const x = stage + kWeightBytes;
    const std::size_t row_halves = std::size_t{args.stripes.slice_tiles} * kTileInputs;
    for (unsigned i = thread; i < Tokens * 16; i += kThreads) {
      const unsigned token = i / 16;
      simt::copy_async(x + swizzled(token, i % 16),
                       args.x + token * row_halves + std::size_t{at.place} * kTileInputs + i % 16 * 8);
    }
  }

  static PLUMBLINE_KERNEL void load_scales(const Args& args, const Cursor& at, unsigned char* to) {
    const unsigned thread = simt::thread_index();
    const std::size_t width = std::size_t{args.stripes.slices} * kTileOutputs;
    const std::size_t column = std::size_t{at.slice} * kTileOutputs;
    if (thread < 32) {  // two halves of 128 scales, 8 to a copy
      const std::size_t group = (at.place * 2 + thread / 16) / args.group_halves;
      simt::copy_async(to + thread * 16, args.scales + group * width + column + thread % 16 * 8);
    } else if (thread < 48 && args.zeros != nullptr) {  // and 128 zero points, 16 to a copy
      const unsigned i = thread - 32;
      const std::size_t group = (at.place * 2 + i / 8) / args.group_halves;
      simt::copy_async(to + kScaleBytes + i * 16, args.zeros + group * width + column + i % 8 * 16);
    }
  }

  static PLUMBLINE_KERNEL void multiply(const Args& args, const unsigned char* stage, Sums& sums) {
    PLUMBLINE_UNROLL
    for (unsigned half = 0; half < 2; ++half) {
      if constexpr (kHasScales) {
        const unsigned char* const scales = stage + kWeightBytes + kActivationBytes;
        const unsigned n =
            half * kTileOutputs + simt::thread_index() / simt::kLanes * 16 + simt::thread_index() % simt::kLanes / 4;
        ZeroPoint first = zero_point(Codec::kMiddle);
        ZeroPoint second = first;
        if (args.zeros != nullptr) {
          first = zero_point(scales[kScaleBytes + n]);
          second = zero_point(scales[kScaleBytes + n + 8]);
        }
        Sums part{};
        multiply_half(stage, half, first, second, part);
        const auto* const table = reinterpret_cast<const std::uint16_t*>(scales);
        const float scale = simt::half_to_float(table[n]);
        const float scale8 = simt::half_to_float(table[n + 8]);
        PLUMBLINE_UNROLL
        for (unsigned column = 0; column < kColumns; ++column) {
          PLUMBLINE_UNROLL
          for (unsigned i = 0; i < 4; ++i) {
            sums.at[column][i] = simt::fused(i < 2 ? scale : scale8, part.at[column][i], sums.at[column][i]);
          }
        }
      } else {
        multiply_half(stage, half, {}, {}, sums);
      }
    }
  }

  /// 16 outputs x 64 inputs of the warp, times all tokens.
  static PLUMBLINE_KERNEL void multiply_half(const unsigned char* stage, unsigned half, const ZeroPoint& first,
                                             const ZeroPoint& second, Sums& sums) {
    const unsigned lane = simt::thread_index() % simt::kLanes;
    const unsigned warp = simt::thread_index() / simt::kLanes;
    std::uint32_t words[kVectors * 4];
    PLUMBLINE_UNROLL
    for (unsigned v = 0; v < kVectors; ++v) {
      const auto* const at =
          reinterpret_cast<const simt::Vec4*>(stage) + ((warp * 2 + half) * kVectors + v) * simt::kLanes + lane;
      const simt::Vec4 vector = *at;
      PLUMBLINE_UNROLL
      for (unsigned i = 0; i < 4; ++i) words[v * 4 + i] = vector.word[i];
    }
    PLUMBLINE_UNROLL
    for (unsigned pair = 0; pair < 2; ++pair) {  // of fragments: 32 inputs, one ldmatrix per 8 tokens
      std::uint32_t a[2][4];
      Codec::expand(words, pair * 2, first, second, a[0]);
      Codec::expand(words, pair * 2 + 1, first, second, a[1]);
      PLUMBLINE_UNROLL
      for (unsigned column = 0; column < kColumns; ++column) {
        std::uint32_t b[4];
        simt::ldmatrix(b, stage + kWeightBytes + swizzled(column * 8 + lane % 8, half * 8 + pair * 4 + lane / 8));
        simt::mma(sums.at[column], a[0], b[0], b[1]);
        simt::mma(sums.at[column], a[1], b[2], b[3]);
      }
    }
  }

  /// A slice is over, or the stripe is: writes y if the slice was this block's alone or this block is the last of those
  /// that share it, and begins anew.
  static PLUMBLINE_KERNEL void finish(const Args& args, std::uint32_t slice, std::uint32_t begin, std::uint32_t end,
                                      Sums& sums) {
    const std::uint32_t first_tile = slice * args.stripes.slice_tiles;
    const bool has_beginning = begin <= first_tile;
    const bool has_end = end >= first_tile + args.stripes.slice_tiles;
    if (has_beginning && has_end) {
      write(args, slice, sums);
    } else {
      simt::Float4* const mine = partial(args, simt::block_index(), partial_place(has_beginning));
      PLUMBLINE_UNROLL
      for (unsigned column = 0; column < kColumns; ++column) {
        const float(&four)[4] = sums.at[column];
        mine[column * simt::kLanes] = {{four[0], four[1], four[2], four[3]}};
      }
      if (is_last(args, slice)) {
        add_up(args, slice, sums);
        write(args, slice, sums);
      }
    }
    sums = {};
  }

  static PLUMBLINE_KERNEL simt::Float4* partial(const Args& args, std::uint32_t block, std::uint32_t place) {
    const unsigned warp = simt::thread_index() / simt::kLanes;
    return args.partials + ((std::size_t{block} * 2 + place) * kWarps + warp) * kColumns * simt::kLanes +
           simt::thread_index() % simt::kLanes;
  }

  /// Whether all others that share the slice have left their sums; the same in every thread.
  static PLUMBLINE_KERNEL bool is_last(const Args& args, std::uint32_t slice) {
    simt::fence();
    simt::sync_threads();
    bool last = false;
    if (simt::thread_index() == 0) {
      const std::uint32_t sharers = args.stripes.last_block(slice) - args.stripes.first_block(slice) + 1;
      last = simt::atomic_add(&args.arrivals[slice], 1) + 1 == sharers;
      if (last) args.arrivals[slice] = 0;  // for the next launch
      simt::fence();
    }
    return simt::sync_threads_or(last);
  }

  static PLUMBLINE_KERNEL void add_up(const Args& args, std::uint32_t slice, Sums& sums) {
    const std::uint32_t first = args.stripes.first_block(slice);
    const std::uint32_t last = args.stripes.last_block(slice);
    sums = {};
    for (std::uint32_t block = first; block <= last; ++block) {
      const simt::Float4* const theirs = partial(args, block, partial_place(block == first));
      PLUMBLINE_UNROLL
      for (unsigned column = 0; column < kColumns; ++column) {
        const simt::Float4 four = simt::load_shared_by_blocks(theirs + column * simt::kLanes);
        PLUMBLINE_UNROLL
        for (unsigned i = 0; i < 4; ++i) sums.at[column][i] += four.at[i];
      }
    }
  }

  static PLUMBLINE_KERNEL void write(const Args& args, std::uint32_t slice, const Sums& sums) {
    const unsigned lane = simt::thread_index() % simt::kLanes;
    const std::uint32_t n = slice * kTileOutputs + simt::thread_index() / simt::kLanes * 16 + lane / 4;
    PLUMBLINE_UNROLL
    for (unsigned column = 0; column < kColumns; ++column) {
      write_outputs(args, column * 8 + lane % 4 * 2, n, sums.at[column]);
    }
  }
};

/// Few tokens with twice the tiles on their way, for processors with more than 200 KiB of shared memory and a memory
/// that is fast for each of them. The same bits.
template <unsigned Tokens>
using DeepMatmulKernel = MatmulKernel<Int4Codec, Tokens, 2 * Int4Codec::kStages>;

}  // namespace kernels::cuda
