// One or many launches per product; nothing here waits.
#include "kernels/cuda/products.hpp"

#include <algorithm>
#include <cassert>

namespace kernels::cuda {
namespace {

constexpr std::size_t kMaxTokens = 64;
constexpr std::size_t kMostWideColumns = 1024;                   ///< staged at a time
constexpr std::size_t kExpandedHalves = std::size_t{16} << 20U;  ///< 32 MiB of weights for the library at a time

/// Room for two blocks of DeepMatmulKernel<16> in a processor, and what each of them takes besides.
constexpr std::size_t kDeepSharedBytes = 2 * (std::size_t{DeepMatmulKernel<16>::kSharedBytes} + 1024);

template <class Codec>
void launch_matmul(Device& device, const MatmulArgs& args, std::size_t tokens) {
  const std::size_t blocks = args.stripes.blocks;
  if constexpr (Codec::kBits == 4) {
    const bool is_deep = device.shared_bytes() >= kDeepSharedBytes;
    if (is_deep && tokens <= 8) return device.launch<DeepMatmulKernel<8>>(blocks, args);
    if (is_deep && tokens <= 16) return device.launch<DeepMatmulKernel<16>>(blocks, args);
  }
  if (tokens <= 8) return device.launch<MatmulKernel<Codec, 8>>(blocks, args);
  if (tokens <= 16) return device.launch<MatmulKernel<Codec, 16>>(blocks, args);
  if (tokens <= 32) return device.launch<MatmulKernel<Codec, 32>>(blocks, args);
  device.launch<MatmulKernel<Codec, kMaxTokens>>(blocks, args);
}

std::size_t partial_count(const Stripes& stripes) {
  return std::size_t{stripes.blocks} * 2 * kWarps * kMaxTokens / 8 * simt::kLanes;
}

}  // namespace

Stripes stripes_for(const TileLayout& layout, unsigned processors) noexcept {
  Stripes stripes{layout.slices, layout.slice_tiles, 1};
  stripes.blocks = std::min(stripes.tiles(), 2 * processors);
  return stripes;
}

Products::Products(std::shared_ptr<Device> device, const CudaOptions& options)
    : device_(std::move(device)), options_(options) {}

void Products::multiply(const TileMatrix& matrix, const DeviceRows& x, const DeviceRows& y, std::size_t rows) {
  const bool rounded = options_.precision == Precision::fast && matrix.layout().bits < 16;
  const bool many = options_.library_rows > 0 && rows >= options_.library_rows;
  if (rounded && many && multiply_by_library(matrix, x, y, rows)) return;
  const bool wide = options_.wide_rows > 0 && rows >= options_.wide_rows && matrix.layout().bits < 16;
  if (wide) return multiply_wide(matrix, x, y, rows, rounded ? 1 : 2);
  multiply_fused(matrix, x, y, rows, rounded ? 1 : 2);
}

void Products::stage(const TileMatrix& matrix, const DeviceRows& x, std::size_t rows, std::uint32_t terms) {
  device_->launch<StageKernel>(rows, {.x = x,
                                      .order = matrix.order(),
                                      .in = static_cast<std::uint32_t>(matrix.in()),
                                      .padded_in = static_cast<std::uint32_t>(matrix.layout().padded_in()),
                                      .terms = terms,
                                      .to = staged_.data(),
                                      .row_scales = row_scales_.data()});
}

void Products::stage_part(const TileMatrix& matrix, const DeviceRows& x, const DeviceRows& y, std::size_t first,
                          std::size_t count, MatmulArgs& args) {
  stage(matrix, {x.data + first * x.stride, x.stride}, count, args.terms);
  args.x = staged_.data();
  args.row_scales = row_scales_.data();
  args.y = y.data + first * y.stride;
  args.y_stride = y.stride;
  args.rows = static_cast<std::uint32_t>(count);
}

void Products::multiply_fused(const TileMatrix& matrix, const DeviceRows& x, const DeviceRows& y, std::size_t rows,
                              std::uint32_t terms) {
  MatmulArgs args = matrix.args();
  args.stripes = stripes_for(matrix.layout(), device_->processors());
  args.terms = terms;
  staged_.reserve(device_, kMaxTokens * matrix.layout().padded_in());
  row_scales_.reserve(device_, kMaxTokens);
  partials_.reserve(device_, partial_count(args.stripes));
  if (arrivals_.size() < args.stripes.slices) {
    arrivals_.reserve(device_, args.stripes.slices);
    device_->zero(arrivals_.data(), arrivals_.bytes());
  }
  const std::size_t step = kMaxTokens / terms;
  args.partials = partials_.data();
  args.arrivals = arrivals_.data();
  for (std::size_t first = 0; first < rows; first += step) {
    const std::size_t count = std::min(rows - first, step);
    stage_part(matrix, x, y, first, count, args);
    switch (matrix.layout().bits) {
      case 4:
        launch_matmul<Int4Codec>(*device_, args, count * terms);
        break;
      case 8:
        launch_matmul<Int8Codec>(*device_, args, count * terms);
        break;
      default:
        launch_matmul<HalfCodec>(*device_, args, count * terms);
    }
  }
}

void Products::multiply_wide(const TileMatrix& matrix, const DeviceRows& x, const DeviceRows& y, std::size_t rows,
                             std::uint32_t terms) {
  MatmulArgs args = matrix.args();
  args.terms = terms;
  const std::size_t step = kMostWideColumns / terms;
  const std::size_t columns = std::size_t{wide_tiles(static_cast<std::uint32_t>(std::min(rows, step) * terms))};
  staged_.reserve(device_, columns * kWideColumns * matrix.layout().padded_in());
  row_scales_.reserve(device_, std::min(rows, step));
  for (std::size_t first = 0; first < rows; first += step) {
    const std::size_t count = std::min(rows - first, step);
    stage_part(matrix, x, y, first, count, args);
    const std::size_t blocks = std::size_t{args.stripes.slices} * wide_tiles(args.rows * terms);
    if (matrix.layout().bits == 4) {
      device_->launch<WideMatmulKernel<Int4Codec>>(blocks, args);
    } else {
      device_->launch<WideMatmulKernel<Int8Codec>>(blocks, args);
    }
  }
}

bool Products::multiply_by_library(const TileMatrix& matrix, const DeviceRows& x, const DeviceRows& y,
                                   std::size_t rows) {
  const TileLayout& layout = matrix.layout();
  const std::size_t in = layout.padded_in();
  const std::size_t slice = kTileOutputs * in;
  const std::size_t step = std::max<std::size_t>(kExpandedHalves / slice, 1);
  staged_.reserve(device_, rows * in);
  row_scales_.reserve(device_, rows);
  expanded_.reserve(device_, std::min<std::size_t>(step, layout.slices) * slice);
  stage(matrix, x, rows, 1);
  const MatmulArgs weights = matrix.args();
  for (std::size_t first = 0; first < layout.slices; first += step) {
    const std::uint64_t tiles = std::min<std::uint64_t>(layout.slices - first, step) * layout.slice_tiles;
    const std::uint64_t count = tiles * tile_words(layout.bits) / 4;
    device_->launch<DequantKernel>((count + kRowThreads - 1) / kRowThreads,
                                   {.weights = weights.weights,
                                    .scales = weights.scales,
                                    .zeros = weights.zeros,
                                    .to = expanded_.data(),
                                    .count = count,
                                    .first_slice = static_cast<std::uint32_t>(first),
                                    .slices = layout.slices,
                                    .slice_tiles = layout.slice_tiles,
                                    .group_halves = layout.group_halves,
                                    .bits = layout.bits});
    const std::size_t begin = first * kTileOutputs;
    const std::size_t outputs = std::min(layout.out - begin, step * kTileOutputs);
    if (!device_->library_product(expanded_.data(), staged_.data(), y.data + begin, outputs, in, rows, y.stride)) {
      return false;  // at the first chunk: nothing has been written
    }
  }
  device_->launch<ScaleKernel>(
      rows,
      {.y = y, .row_scales = row_scales_.data(), .bias = weights.bias, .cols = static_cast<std::uint32_t>(layout.out)});
  return true;
}

void Products::multiply(const FloatMatrix& matrix, const HostedMatrix& shape, const DeviceRows& x, const DeviceRows& y,
                        std::size_t rows) {
  const std::size_t per_row = (shape.out() + PlainKernel::kOutputsPerBlock - 1) / PlainKernel::kOutputsPerBlock;
  device_->launch<PlainKernel>(rows * per_row, {.weights = matrix.weights(),
                                                .bias = matrix.bias(),
                                                .x = x,
                                                .y = y,
                                                .in = static_cast<std::uint32_t>(shape.in()),
                                                .out = static_cast<std::uint32_t>(shape.out()),
                                                .blocks_per_row = static_cast<std::uint32_t>(per_row)});
}

}  // namespace kernels::cuda
