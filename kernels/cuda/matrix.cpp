// Uploads: raw codes go to the device part by part, and kernels put them into tiles there.
#include "kernels/cuda/matrix.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace kernels::cuda {
namespace {

constexpr std::size_t kChunkSlices = 64;  ///< of halves on the way: 8192 outputs

std::size_t blocks_for(std::uint64_t threads) {
  return (threads + kRowThreads - 1) / kRowThreads;
}

/// Moves what is large to the device and drops it here.
template <class T>
DeviceArray<T> take(const std::shared_ptr<Device>& device, std::vector<T>& values) {
  DeviceArray<T> array(device, std::span<const T>(values));
  values = {};
  return array;
}

std::span<const float> checked_bias(std::span<const float> bias, std::size_t out) {
  assert(bias.empty() || bias.size() == out);
  return bias;
}

DenseMatrix checked_dense(const DenseMatrix& weights) {
  assert(weights.in > 0 && weights.out > 0 &&
         weights.data.size() / weights.in / dense_size(weights.type) == weights.out);
  assert(weights.data.size() == weights.in * weights.out * dense_size(weights.type));
  return weights;
}

}  // namespace

TileMatrix::TileMatrix(const std::shared_ptr<Device>& device, std::span<const GptqMatrix> parts,
                       std::span<const float> bias)
    : layout_(make_layout(parts)),
      words_(device, std::size_t{layout_.slices} * layout_.slice_tiles * tile_words(layout_.bits)),
      scales_(take(device, layout_.scales)),
      zeros_(take(device, layout_.zeros)),
      order_(take(device, layout_.order)),
      bias_(device, checked_bias(bias, layout_.out)) {
  assert(can_join(parts));
  device->zero(words_.data(), words_.bytes());
  std::size_t first = 0;
  for (const GptqMatrix& part : parts) {
    const std::size_t size = part.in() / codes_per_word(part.bits()) * part.out();
    const DeviceArray<std::uint32_t> codes(device, std::span(part.word_row(0), size));
    const std::size_t slices = (first + part.out() - 1) / kTileOutputs - first / kTileOutputs + 1;
    const std::uint64_t count = std::uint64_t{slices} * layout_.slice_tiles * tile_words(layout_.bits);
    device->launch<PackKernel>(blocks_for(count), {.codes = codes.data(),
                                                   .order = order_.data(),
                                                   .words = words_.data(),
                                                   .count = count,
                                                   .in = static_cast<std::uint32_t>(part.in()),
                                                   .out = static_cast<std::uint32_t>(part.out()),
                                                   .first_output = static_cast<std::uint32_t>(first),
                                                   .slice_tiles = layout_.slice_tiles,
                                                   .bits = layout_.bits});
    first += part.out();
  }
}

TileMatrix::TileMatrix(const std::shared_ptr<Device>& device, std::span<const half_bits> halves, std::size_t in,
                       std::size_t out, std::span<const float> bias)
    : layout_(make_layout(in, out)),
      words_(device, std::size_t{layout_.slices} * layout_.slice_tiles * tile_words(16)),
      bias_(device, checked_bias(bias, out)) {
  assert(halves.size() == in * out);
  for (std::size_t slice = 0; slice < layout_.slices; slice += kChunkSlices) {
    const std::size_t first = slice * kTileOutputs;
    const std::size_t outputs = std::min(out - first, kChunkSlices * kTileOutputs);
    const std::size_t slices = (outputs + kTileOutputs - 1) / kTileOutputs;
    const DeviceArray<half_bits> chunk(device, halves.subspan(first * in, outputs * in));
    const std::uint64_t count = std::uint64_t{slices} * layout_.slice_tiles * tile_words(16);
    device->launch<PackHalvesKernel>(blocks_for(count),
                                     {.halves = chunk.data(),
                                      .words = words_.data() + slice * layout_.slice_tiles * tile_words(16),
                                      .count = count,
                                      .in = static_cast<std::uint32_t>(in),
                                      .out = static_cast<std::uint32_t>(outputs),
                                      .slice_tiles = layout_.slice_tiles});
  }
}

MatmulArgs TileMatrix::args() const noexcept {
  MatmulArgs args{};
  args.weights = words_.data();
  args.scales = scales_.data();
  args.zeros = zeros_.data();
  args.bias = bias_.data();
  args.out = static_cast<std::uint32_t>(layout_.out);
  args.group_halves = layout_.group_halves;
  args.stripes = {layout_.slices, layout_.slice_tiles, 1};
  return args;
}

FloatMatrix::FloatMatrix(const std::shared_ptr<Device>& device, const DenseMatrix& weights, std::span<const float> bias)
    : weights_(device, weights.in * weights.out), bias_(device, checked_bias(bias, weights.out)) {
  std::vector<float> row(weights.in);
  for (std::size_t n = 0; n < weights.out; ++n) {
    for (std::size_t k = 0; k < weights.in; ++k) row[k] = weights.at(n, k);
    device->copy_in(weights_.data() + n * weights.in, row.data(), weights.in * sizeof(float));
  }
}

HostedMatrix::HostedMatrix(const std::shared_ptr<Device>& device, const DenseMatrix& weights,
                           std::span<const float> bias)
    : device_(device), weights_(checked_dense(weights)), bias_(bias.begin(), bias.end()) {
  checked_bias(bias, weights.out);
  if (weights.owner != nullptr) return;
  copy_.assign(weights.data.begin(), weights.data.end());
  weights_.data = copy_;
}

std::size_t HostedMatrix::bytes() const noexcept {
  return copy_.size() + (tiles_ ? tiles_->bytes() : 0) + (floats_ ? floats_->bytes() : 0);
}

const TileMatrix* HostedMatrix::tiles() const {
  move_to_device();
  return tiles_.get();
}

const FloatMatrix* HostedMatrix::floats() const {
  move_to_device();
  return floats_.get();
}

void HostedMatrix::move_to_device() const {
  if (tiles_ != nullptr || floats_ != nullptr) return;
  const auto make_tiles = [&](std::span<const half_bits> halves) {
    tiles_ = std::make_unique<TileMatrix>(device_, halves, weights_.in, weights_.out, bias_);
  };
  if (weights_.type == DenseType::f16) {
    // The data is aligned to its elements (DenseMatrix).
    make_tiles({reinterpret_cast<const half_bits*>(weights_.data.data()), weights_.in * weights_.out});
  } else if (const auto halves = exact_halves(weights_)) {
    make_tiles(*halves);
  } else {
    floats_ = std::make_unique<FloatMatrix>(device_, weights_, bias_);
  }
}

}  // namespace kernels::cuda
