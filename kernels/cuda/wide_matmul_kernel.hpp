// The product of quantised weights with many rows: 128 outputs times 128 columns of x to a block, all inputs, so that
// a weight is expanded four times for 128 columns and a column is read twice for 128 outputs. The weights lie as for
// MatmulKernel.
//
// A row's result has the same bits however many rows go this way together: a block sums all inputs in order. They are
// not those of MatmulKernel, whose sums are cut by the number of processors.
//
//            columns 0 .. 31   32 .. 63   64 .. 95   96 .. 127
//   outputs  +---------------+----------+----------+----------+
//   0 .. 63  | warp 0        | warp 1   | warp 2   | warp 3   |   a warp: four 16-row fragments of weights times four
//   64 ..127 | warp 4        | warp 5   | warp 6   | warp 7   |   8-column fragments of x, 64 inputs between barriers
//            +---------------+----------+----------+----------+
#pragma once

#include "kernels/cuda/matmul_kernel.hpp"

namespace kernels::cuda {

inline constexpr unsigned kWideColumns = 128;

/// Byte of chunk `chunk` (16 bytes, 8 inputs; 0 .. 7) of a column's 64 inputs in shared memory, without bank conflicts
/// for ldmatrix and for writes (as `swizzled`).
PLUMBLINE_HOST_DEVICE constexpr unsigned swizzled_half(unsigned column, unsigned chunk) noexcept {
  return column * (kHalfInputs * 2) + (chunk ^ (column % 8)) * 16;
}

/// Blocks of a product of so many columns: tiles of columns fastest, so that those who read the same weights run
/// together.
PLUMBLINE_HOST_DEVICE constexpr std::uint32_t wide_tiles(std::uint32_t columns) noexcept {
  return (columns + kWideColumns - 1) / kWideColumns;
}

/// Uses no partial sums and no arrivals of its arguments. `x` has room for whole tiles of columns.
template <class Codec>
struct WideMatmulKernel {
  using Args = MatmulArgs;
  static constexpr unsigned kThreads = 256;
  static constexpr unsigned kMinBlocks = 1;
  static constexpr unsigned kStages = 4;
  static constexpr unsigned kVectors = Codec::kBits / 4;  ///< of 16 bytes: a lane's codes of a half
  static constexpr unsigned kWeightBytes = static_cast<unsigned>(tile_words(Codec::kBits)) * 2;
  static constexpr unsigned kColumnBytes = kWideColumns * kHalfInputs * 2;
  static constexpr unsigned kScaleBytes = kTileOutputs * 2;
  static constexpr unsigned kStageBytes = kWeightBytes + kColumnBytes + kScaleBytes + kTileOutputs;
  static constexpr unsigned kSharedBytes = kStages * kStageBytes;
  static_assert(kSharedBytes <= 99 * 1024, "more than a block may have on compute capability 8.6 and 8.9");
  static constexpr unsigned kFragments = 4;  ///< of a warp, along the outputs and along the columns

  /// A lane's places of each 16x8 tile (c_place).
  struct Sums {
    float at[kFragments][kFragments][4];
  };
  struct Block {
    std::uint32_t slice;
    std::uint32_t column;  ///< the first
    std::uint32_t halves;  ///< runs of 64 inputs
  };
  /// What a thread copies next. Addresses move on by additions: between two barriers there are few instructions to
  /// spare.
  struct Cursor {
    const unsigned char* codes;
    const std::uint16_t* x;
    const unsigned char* scales;  ///< or zero points; null: nothing of this thread's
    std::uint32_t half;
    std::uint32_t group_left;  ///< halves of a group to come
  };

  static PLUMBLINE_KERNEL void run(const Args& args) {
    const std::uint32_t tiles = wide_tiles(args.rows * args.terms);
    const Block block{simt::block_index() / tiles, simt::block_index() % tiles * kWideColumns,
                      args.stripes.slice_tiles * 2};
    Cursor loading = first(args, block);
    const auto load_next = [&] {
      if (loading.half < block.halves) load(args, loading);
      simt::commit_copies();  // an empty group too: waiting counts groups
    };
    for (unsigned i = 0; i + 1 < kStages; ++i) load_next();
    Sums sums{};
    Sums part{};
    std::uint32_t group_left = args.group_halves;
    for (std::uint32_t half = 0; half < block.halves; ++half) {
      simt::wait_copies<static_cast<int>(kStages) - 2>();
      simt::sync_threads();  // the stage is there for all; and all are done with the one that is filled next
      load_next();
      const unsigned char* const stage = simt::shared_memory() + half % kStages * kStageBytes;
      // Two copies of the code: a branch at every fragment would keep products and conversions apart.
      if (args.zeros == nullptr) {
        multiply<false>(stage, part);
      } else {
        multiply<true>(stage, part);
      }
      if (--group_left == 0 || half + 1 == block.halves) {
        add_scaled(stage, part, sums);
        part = {};
        group_left = args.group_halves;
      }
    }
    write(args, block, sums);
  }

 private:
  static PLUMBLINE_KERNEL unsigned lane() { return simt::thread_index() % simt::kLanes; }
  /// The first of the warp's four groups of 16 outputs, of eight; and its first column.
  static PLUMBLINE_KERNEL unsigned first_group() { return simt::thread_index() / simt::kLanes / 4 * kFragments; }
  static PLUMBLINE_KERNEL unsigned first_column() { return simt::thread_index() / simt::kLanes % 4 * kFragments * 8; }

  static PLUMBLINE_KERNEL Cursor first(const Args& args, const Block& block) {
    const unsigned thread = simt::thread_index();
    const std::size_t row_halves = std::size_t{args.stripes.slice_tiles} * kTileInputs;
    const auto* const codes = reinterpret_cast<const unsigned char*>(args.weights) +
                              std::size_t{block.slice} * args.stripes.slice_tiles * 2 * kWeightBytes;
    // Warp w copies the codes of outputs 16 w .. 16 w + 15; eight threads copy a column of x, a thread every 32nd.
    Cursor at{codes + (thread / simt::kLanes * 2 * kVectors * simt::kLanes + lane()) * 16,
              args.x + (block.column + thread / 8) * row_halves + thread % 8 * 8, nullptr, 0, args.group_halves};
    const std::size_t output = std::size_t{block.slice} * kTileOutputs;
    if (thread < 16) {
      at.scales = reinterpret_cast<const unsigned char*>(args.scales + output + thread * 8);
    } else if (thread < 24 && args.zeros != nullptr) {
      at.scales = args.zeros + output + (thread - 16) * 16;
    }
    return at;
  }
  /// Starts the copies of 64 inputs: a half of a tile of weights, its scales, and that part of 128 columns.
  static PLUMBLINE_KERNEL void load(const Args& args, Cursor& at) {
    constexpr unsigned kRunBytes = kVectors * simt::kLanes * 16;  // of 16 outputs
    const unsigned thread = simt::thread_index();
    unsigned char* const stage = simt::shared_memory() + at.half % kStages * kStageBytes;
    unsigned char* const codes = stage + thread / simt::kLanes * kRunBytes + lane() * 16;
    PLUMBLINE_UNROLL
    for (unsigned v = 0; v < kVectors; ++v) {  // not once: blocks beside this one read them too
      simt::copy_async(codes + v * simt::kLanes * 16, at.codes + v * simt::kLanes * 16);
    }
    at.codes += at.half % 2 == 0 ? kRunBytes : 2 * kWeightBytes - kRunBytes;
    unsigned char* const x = stage + kWeightBytes + swizzled_half(thread / 8, thread % 8);
    const std::size_t step = std::size_t{args.stripes.slice_tiles} * kTileInputs * (kThreads / 8);
    PLUMBLINE_UNROLL
    for (unsigned i = 0; i < kWideColumns * 8 / kThreads; ++i) {  // 32 columns on, the swizzle is the same
      simt::copy_async(x + i * (kThreads / 8) * kHalfInputs * 2, at.x + i * step);
    }
    at.x += kHalfInputs;
    if (at.scales != nullptr) {
      simt::copy_async(stage + kWeightBytes + kColumnBytes + thread * 16, at.scales);  // zero points lie after scales
    }
    ++at.half;
    if (--at.group_left == 0) {
      at.group_left = args.group_halves;
      if (at.scales != nullptr) at.scales += std::size_t{args.stripes.slices} * kTileOutputs * (thread < 16 ? 2 : 1);
    }
  }

  template <bool HasZeros>
  static PLUMBLINE_KERNEL void multiply(const unsigned char* stage, Sums& part) {
    const unsigned char* const zeros = stage + kWeightBytes + kColumnBytes + kScaleBytes;
    PLUMBLINE_UNROLL
    for (unsigned pair = 0; pair < 2; ++pair) {  // of 16 inputs
      std::uint32_t b[kFragments][4];
      PLUMBLINE_UNROLL
      for (unsigned c = 0; c < kFragments; ++c) {
        const unsigned column = first_column() + c * 8 + lane() % 8;
        simt::ldmatrix(b[c], stage + kWeightBytes + swizzled_half(column, pair * 4 + lane() / 8));
      }
      PLUMBLINE_UNROLL
      for (unsigned i = 0; i < kFragments; ++i) {
        const unsigned group = first_group() + i;
        ZeroPoint first = zero_point(Codec::kMiddle);
        ZeroPoint second = first;
        if constexpr (HasZeros) {
          first = zero_point(zeros[group * 16 + lane() / 4]);
          second = zero_point(zeros[group * 16 + lane() / 4 + 8]);
        }
        std::uint32_t a[2][4];
        expand_pair(stage, group, pair, first, second, a);
        PLUMBLINE_UNROLL
        for (unsigned j = 0; j < 2; ++j) {
          PLUMBLINE_UNROLL
          for (unsigned c = 0; c < kFragments; ++c) simt::mma(part.at[i][c], a[j], b[c][2 * j], b[c][2 * j + 1]);
        }
      }
    }
  }
  /// Fragments 2 * pair and the next of a group of outputs.
  static PLUMBLINE_KERNEL void expand_pair(const unsigned char* stage, unsigned group, unsigned pair,
                                           const ZeroPoint& first, const ZeroPoint& second, std::uint32_t (&a)[2][4]) {
    const auto* const vectors = reinterpret_cast<const simt::Vec4*>(stage) + group * kVectors * simt::kLanes + lane();
    // At 4 bits one vector has all four fragments, at 8 bits each of two has a pair.
    const simt::Vec4 vector = vectors[kVectors == 1 ? 0 : pair * simt::kLanes];
    const unsigned skipped = kVectors == 1 ? pair * 2 : 0;
    Codec::expand(vector.word, skipped, first, second, a[0]);
    Codec::expand(vector.word, skipped + 1, first, second, a[1]);
  }

  /// The sums of a group of inputs times its scales.
  static PLUMBLINE_KERNEL void add_scaled(const unsigned char* stage, const Sums& part, Sums& sums) {
    const auto* const scales = reinterpret_cast<const std::uint16_t*>(stage + kWeightBytes + kColumnBytes);
    PLUMBLINE_UNROLL
    for (unsigned i = 0; i < kFragments; ++i) {
      const unsigned n = (first_group() + i) * 16 + lane() / 4;
      const float scale = simt::half_to_float(scales[n]);
      const float scale8 = simt::half_to_float(scales[n + 8]);
      PLUMBLINE_UNROLL
      for (unsigned c = 0; c < kFragments; ++c) {
        PLUMBLINE_UNROLL
        for (unsigned k = 0; k < 4; ++k) {
          sums.at[i][c][k] = simt::fused(k < 2 ? scale : scale8, part.at[i][c][k], sums.at[i][c][k]);
        }
      }
    }
  }

  static PLUMBLINE_KERNEL void write(const Args& args, const Block& block, const Sums& sums) {
    PLUMBLINE_UNROLL
    for (unsigned i = 0; i < kFragments; ++i) {
      const std::uint32_t n = block.slice * kTileOutputs + (first_group() + i) * 16 + lane() / 4;
      PLUMBLINE_UNROLL
      for (unsigned c = 0; c < kFragments; ++c) {
        write_outputs(args, block.column + first_column() + c * 8 + lane() % 4 * 2, n, sums.at[i][c]);
      }
    }
  }
};

}  // namespace kernels::cuda
