// Kernels over rows of floats: preparing x for the tensor cores, norms, SwiGLU, copies, and the plain product for
// weights that halves cannot hold.
#pragma once

#include "kernels/cuda/fragments.hpp"
#include "kernels/cuda/simt.hpp"
#include "kernels/dense_format.hpp"

namespace kernels::cuda {

inline constexpr unsigned kRowThreads = 256;

/// What a launch needs to know of a kernel, as most have it: threads of a block, blocks whose registers should fit a
/// processor, bytes of shared memory.
struct RowKernel {
  static constexpr unsigned kThreads = kRowThreads;
  static constexpr unsigned kMinBlocks = 1;
  static constexpr unsigned kSharedBytes = 0;
};

/// Rows of floats: row r begins at data + r * stride.
struct DeviceRows {
  float* data;
  std::size_t stride;
};

/// The sum (or the greatest) over the block, the same bits in every thread. Uses 32 bytes of shared memory.
PLUMBLINE_KERNEL float block_sum(float value) {
  auto* const parts = reinterpret_cast<float*>(simt::shared_memory());
  value = simt::warp_sum(value);
  simt::sync_threads();  // an earlier reduction has been read
  if (simt::thread_index() % simt::kLanes == 0) parts[simt::thread_index() / simt::kLanes] = value;
  simt::sync_threads();
  float total = 0;
  for (unsigned i = 0; i < kRowThreads / simt::kLanes; ++i) total += parts[i];
  return total;
}
PLUMBLINE_KERNEL float block_max(float value) {
  auto* const parts = reinterpret_cast<float*>(simt::shared_memory());
  value = simt::warp_max(value);
  simt::sync_threads();
  if (simt::thread_index() % simt::kLanes == 0) parts[simt::thread_index() / simt::kLanes] = value;
  simt::sync_threads();
  float greatest = parts[0];
  for (unsigned i = 1; i < kRowThreads / simt::kLanes; ++i) greatest = fmaxf(greatest, parts[i]);
  return greatest;
}

/// The exponent e for which |x| * 2^e of a row's greatest |x| is in [2^14, 2^15): nothing overflows a half, and as much
/// as can be is above its subnormals. 0 for rows of zeros and rows with an infinity.
PLUMBLINE_KERNEL int row_exponent(float greatest) {
  const int exponent = static_cast<int>(simt::float_bits(greatest) >> 23U & 0xFFU);
  if (exponent == 0 || exponent == 0xFF) return 0;
  const int shift = 127 + 14 - exponent;
  return shift > 120 ? 120 : shift;
}
PLUMBLINE_KERNEL float exponent_factor(int exponent) {
  return simt::float_of(static_cast<std::uint32_t>(127 + exponent) << 23U);
}

struct StageArgs {
  DeviceRows x;
  const std::int32_t* order;  ///< [padded_in]: which input a place has, -1 none (0); null: its own, up to `in`
  std::uint32_t in;
  std::uint32_t padded_in;
  std::uint32_t terms;  ///< 1: the nearest half. 2: and the nearest half of what that leaves, in a second row
  std::uint16_t* to;    ///< [rows * terms][padded_in]
  float* row_scales;    ///< [rows]: 2^-e, for the results
};

/// x of a product: in the order of the weights' rows, as halves. One block per row.
struct StageKernel : RowKernel {
  using Args = StageArgs;
  static constexpr unsigned kSharedBytes = 32;

  static PLUMBLINE_KERNEL void run(const Args& args) {
    const float* const x = args.x.data + simt::block_index() * args.x.stride;
    float greatest = 0;
    for (std::uint32_t k = simt::thread_index(); k < args.in; k += kThreads) greatest = fmaxf(greatest, fabsf(x[k]));
    const int exponent = row_exponent(block_max(greatest));
    const float factor = exponent_factor(exponent);
    std::uint16_t* const to = args.to + std::size_t{simt::block_index()} * args.terms * args.padded_in;
    for (std::uint32_t place = simt::thread_index(); place < args.padded_in; place += kThreads) {
      std::int32_t k = place < args.in ? static_cast<std::int32_t>(place) : -1;
      if (args.order != nullptr) k = args.order[place];
      const float value = k < 0 ? 0.0F : x[k] * factor;
      const std::uint16_t half = simt::float_to_half(value);
      to[place] = half;
      if (args.terms == 2) to[args.padded_in + place] = simt::float_to_half(value - simt::half_to_float(half));
    }
    if (simt::thread_index() == 0) args.row_scales[simt::block_index()] = exponent_factor(-exponent);
  }
};

struct ScaleArgs {
  DeviceRows y;
  const float* row_scales;  ///< [rows]
  const float* bias;        ///< [cols] or null
  std::uint32_t cols;
};

/// y = y * row scale + bias: what a library's product leaves to do. One block per row.
struct ScaleKernel : RowKernel {
  using Args = ScaleArgs;

  static PLUMBLINE_KERNEL void run(const Args& args) {
    float* const y = args.y.data + simt::block_index() * args.y.stride;
    const float scale = args.row_scales[simt::block_index()];
    for (std::uint32_t i = simt::thread_index(); i < args.cols; i += kThreads) {
      y[i] = simt::fused(y[i], scale, args.bias == nullptr ? 0.0F : args.bias[i]);
    }
  }
};

struct NormArgs {
  DeviceRows x;
  DeviceRows delta;  ///< added to x first; data null: nothing
  const float* weight;
  DeviceRows y;
  std::uint32_t cols;
  float epsilon;
};

/// RMSNorm, with the residual addition before it where there is one. One block per row.
struct NormKernel : RowKernel {
  using Args = NormArgs;
  static constexpr unsigned kSharedBytes = 32;

  static PLUMBLINE_KERNEL void run(const Args& args) {
    float* const x = args.x.data + simt::block_index() * args.x.stride;
    float squares = 0;
    for (std::uint32_t i = simt::thread_index(); i < args.cols; i += kThreads) {
      float value = x[i];
      if (args.delta.data != nullptr) {
        value += args.delta.data[simt::block_index() * args.delta.stride + i];
        x[i] = value;
      }
      squares = simt::fused(value, value, squares);
    }
    const float inverse = 1.0F / sqrtf(block_sum(squares) / static_cast<float>(args.cols) + args.epsilon);
    // Every thread reads what it wrote itself, before it overwrites it if y is x or delta.
    float* const y = args.y.data + simt::block_index() * args.y.stride;
    for (std::uint32_t i = simt::thread_index(); i < args.cols; i += kThreads) y[i] = x[i] * inverse * args.weight[i];
  }
};

struct SiluArgs {
  DeviceRows gate;
  DeviceRows up;
  DeviceRows y;
  std::uint32_t cols;
  std::uint32_t blocks_per_row;
};

/// y = gate / (1 + e^-gate) * up. Four elements per thread.
struct SiluKernel : RowKernel {
  using Args = SiluArgs;
  static constexpr unsigned kColsPerBlock = 4 * kThreads;

  static PLUMBLINE_KERNEL void run(const Args& args) {
    const std::uint32_t row = simt::block_index() / args.blocks_per_row;
    const std::uint32_t first = simt::block_index() % args.blocks_per_row * kColsPerBlock + simt::thread_index();
    for (unsigned j = 0; j < 4; ++j) {
      const std::uint32_t i = first + j * kThreads;
      if (i >= args.cols) return;
      const float z = args.gate.data[row * args.gate.stride + i];
      args.y.data[row * args.y.stride + i] = z / (1.0F + expf(-z)) * args.up.data[row * args.up.stride + i];
    }
  }
};

struct GatherArgs {
  DeviceRows x;
  const std::int32_t* rows;
  DeviceRows y;
  std::uint32_t cols;
};

/// y[i] = x[rows[i]]. One block per row of y.
struct GatherKernel : RowKernel {
  using Args = GatherArgs;

  static PLUMBLINE_KERNEL void run(const Args& args) {
    const float* const from = args.x.data + static_cast<std::size_t>(args.rows[simt::block_index()]) * args.x.stride;
    float* const to = args.y.data + simt::block_index() * args.y.stride;
    for (std::uint32_t i = simt::thread_index(); i < args.cols; i += kThreads) to[i] = from[i];
  }
};

struct PlainArgs {
  const float* weights;  ///< [out][in]
  const float* bias;     ///< [out] or null
  DeviceRows x;
  DeviceRows y;
  std::uint32_t in;
  std::uint32_t out;
  std::uint32_t blocks_per_row;
};

/// y = x * W^T + bias in floats, for weights that no half holds. One warp per output.
struct PlainKernel : RowKernel {
  using Args = PlainArgs;
  static constexpr unsigned kOutputsPerBlock = kThreads / simt::kLanes;

  static PLUMBLINE_KERNEL void run(const Args& args) {
    const std::uint32_t row = simt::block_index() / args.blocks_per_row;
    const std::uint32_t n =
        simt::block_index() % args.blocks_per_row * kOutputsPerBlock + simt::thread_index() / simt::kLanes;
    if (n >= args.out) return;  // the whole warp
    const float* const x = args.x.data + row * args.x.stride;
    float sum = 0;
    for (std::uint32_t k = simt::thread_index() % simt::kLanes; k < args.in; k += simt::kLanes) {
      sum = simt::fused(x[k], args.weights[std::size_t{n} * args.in + k], sum);
    }
    sum = simt::warp_sum(sum);
    if (simt::thread_index() % simt::kLanes == 0) {
      args.y.data[row * args.y.stride + n] = sum + (args.bias == nullptr ? 0.0F : args.bias[n]);
    }
  }
};

struct RepairArgs {
  DeviceRows x;
  DeviceRows y;
  const void* weights;      ///< [outputs][in]: the rows of the ids, as `type` says
  const std::int32_t* ids;  ///< [outputs]: columns of y, `each` for a row
  DenseType type;
  std::uint32_t in;
  std::uint32_t each;
  std::uint32_t outputs;
};

/// Some outputs of a product once more, in floats from plain weights. One warp per output.
struct RepairKernel : RowKernel {
  using Args = RepairArgs;
  static constexpr unsigned kOutputsPerBlock = kThreads / simt::kLanes;

  static PLUMBLINE_KERNEL void run(const Args& args) {
    const std::uint32_t i = simt::block_index() * kOutputsPerBlock + simt::thread_index() / simt::kLanes;
    if (i >= args.outputs) return;  // the whole warp
    const std::uint32_t row = i / args.each;
    const float* const x = args.x.data + row * args.x.stride;
    float sum = 0;
    for (std::uint32_t k = simt::thread_index() % simt::kLanes; k < args.in; k += simt::kLanes) {
      sum = simt::fused(x[k], weight(args, std::size_t{i} * args.in + k), sum);
    }
    sum = simt::warp_sum(sum);
    if (simt::thread_index() % simt::kLanes == 0)
      args.y.data[row * args.y.stride + static_cast<std::size_t>(args.ids[i])] = sum;
  }

 private:
  static PLUMBLINE_KERNEL float weight(const Args& args, std::size_t at) {
    if (args.type == DenseType::f32) return static_cast<const float*>(args.weights)[at];
    const std::uint16_t bits = static_cast<const std::uint16_t*>(args.weights)[at];
    return args.type == DenseType::f16 ? simt::half_to_float(bits) : simt::float_of(std::uint32_t{bits} << 16U);
  }
};

}  // namespace kernels::cuda
