// How big a chunk is: large enough that claiming it costs nothing, small enough that a thread which loses its core
// with one in hand delays the others little. Bits do not depend on any of it.
#include "kernels/cpu/products.hpp"

#include <algorithm>
#include <cassert>

namespace kernels {
namespace {

/// Bytes of weights a chunk reads, at one row: a few microseconds from memory.
constexpr std::size_t kChunkBytes = std::size_t{96} << 10U;
/// Bytes of activations that stay in the second-level cache while weights pass.
constexpr std::size_t kActivationBytes = std::size_t{384} << 10U;
/// From this many rows on a product is bound by arithmetic, and chunks shrink accordingly.
constexpr std::size_t kRowsPerPass = 8;
constexpr std::size_t kPair = 2;           ///< panels that a kernel takes at once
constexpr std::size_t kPackAlone = 20480;  ///< elements below which arranging is not worth a second core's caches

Grid cut(std::size_t rows, std::size_t row_bytes, std::size_t row_step, std::size_t units, std::size_t unit_bytes,
         std::size_t threads) {
  const std::size_t fitting = std::max<std::size_t>(kActivationBytes / std::max<std::size_t>(row_bytes, 1), 1);
  const std::size_t block_rows = std::min(rows, (fitting + row_step - 1) / row_step * row_step);
  const std::size_t passes = std::max<std::size_t>(block_rows / kRowsPerPass, 1);
  std::size_t group = std::max<std::size_t>(kChunkBytes / (unit_bytes * passes), 1);
  // Several chunks for each thread, or the last one decides; a small matrix stays in one piece.
  const bool small = units * unit_bytes * passes <= kChunkBytes / 4;
  if (!small) group = std::min(group, std::max<std::size_t>(units / (threads * 4), 1));
  const std::size_t least = units * ((rows - 1) / block_rows + 1) / ThreadPool::kMaxChunks + 1;
  return {rows, units, block_rows, std::min(std::max(group, least), units)};
}

/// The pairs of panels that a chunk takes.
struct Pairs {
  std::size_t first;
  std::size_t last;
};

/// A product of few rows with a double matrix: each thread's chunks are the same part of both halves. What is computed
/// from the two, column by column, then finds them in its core's caches.
class DoubleOrder {
 public:
  DoubleOrder(const Grid& grid, std::size_t threads)
      : half_(grid.units / 2),
        share_(((half_ - 1) / grid.group_units + threads) / threads),  // so that all shares are of one size
        threads_(threads) {}

  std::size_t chunks() const noexcept { return 2 * share_ * threads_; }
  Pairs pairs(std::size_t chunk) const noexcept {
    const std::size_t thread = chunk / (2 * share_), local = chunk % (2 * share_);
    const std::size_t begin = local < share_ ? 0 : half_;
    const std::size_t group = thread * share_ + local % share_;
    const std::size_t groups = share_ * threads_;
    return {begin + half_ * group / groups, begin + half_ * (group + 1) / groups};
  }

 private:
  std::size_t half_;
  std::size_t share_;  ///< groups of a half that a thread takes
  std::size_t threads_;
};

}  // namespace

HostDenseMatrix::HostDenseMatrix(const DenseMatrix& weights, std::span<const float> bias, WeightArena& arena)
    : weights_(weights), bias_(bias.begin(), bias.end()) {
  const std::size_t size = dense_size(weights.type);
  assert(weights.out > 0 && weights.in > 0 && weights.data.size() / weights.out / size == weights.in);
  assert(weights.data.size() == weights.out * weights.in * size);
  assert(bias.empty() || bias.size() == weights.out);
  const bool aligned = reinterpret_cast<std::uintptr_t>(weights.data.data()) % size == 0;
  if (weights.owner != nullptr && aligned) return;
  const std::shared_ptr<std::byte> copy = arena.allocate(weights.data.size());
  std::ranges::copy(weights.data, copy.get());
  weights_.data = {copy.get(), weights.data.size()};
  weights_.owner = copy;
  bytes_ = weights.data.size();
}

PackedRows Products::packed(const PanelMatrix& matrix, std::size_t first_row) noexcept {
  const std::size_t at = first_row * matrix.padded_in();
  const std::size_t sums = first_row * matrix.blocks();
  if (precision_ == Precision::exact)
    return {floats_.data() + at, float_sums_.data() + sums, nullptr, nullptr, nullptr};
  return {nullptr, nullptr, bytes_.data() + at, offsets_.data() + sums, scales_.data() + sums};
}

void Products::arrange(const PanelMatrix& matrix, const HostRows& x) {
  const std::size_t elements = x.rows() * matrix.padded_in();
  const std::size_t sums = x.rows() * matrix.blocks();
  const auto grow = [](auto& to, std::size_t size) {
    if (to.size() < size) to.resize(size);
  };
  if (precision_ == Precision::exact) {
    grow(floats_, elements);
    grow(float_sums_, sums);
  } else {
    grow(bytes_, elements);
    grow(offsets_, sums);
    grow(scales_, sums);
  }
  const auto pack = precision_ == Precision::exact ? kernels_.pack_exact : kernels_.pack_fast;
  // A cache line holds all rows of a tile, so threads share out tiles, and the blocks of a tile where those are few.
  const std::size_t tiles = (x.rows() - 1) / tile_rows() + 1;
  const std::size_t wanted = elements < kPackAlone ? 1 : (pool_.threads() - 1) / tiles + 1;
  const std::size_t parts = std::min(wanted, matrix.blocks());
  pool_.run(tiles * parts, [&](std::size_t chunk) {
    const std::size_t first = chunk / parts * tile_rows(), part = chunk % parts;
    const std::size_t rows = std::min(tile_rows(), x.rows() - first);
    for (std::size_t row = 0; row < rows; ++row) {
      pack(PackJob{matrix, x.row(first + row), row, rows, matrix.blocks() * part / parts,
                   matrix.blocks() * (part + 1) / parts, packed(matrix, first)});
    }
  });
}

template <class StartOf>
void Products::look_ahead(const void* matrix, std::size_t chunks, std::size_t bytes, const StartOf& start_of) {
  for (std::size_t i = 0; i < starts_.size(); ++i) starts_[i] = start_of(pool_.share_begin(chunks, i));
  ahead_.begin(matrix, starts_, bytes / pool_.threads());
}

void Products::multiply(const PanelMatrix& matrix, const HostRows& x, const HostRows& y) {
  if (x.rows() == 0) return;
  arrange(matrix, x);
  const std::size_t element = precision_ == Precision::exact ? sizeof(float) : 1;
  const Grid grid = cut(x.rows(), matrix.padded_in() * element, tile_rows(), (matrix.panels() + 1) / kPair,
                        kPair * matrix.panel_bytes(), pool_.threads());
  if (grid.rows <= tile_rows()) return multiply_tile(matrix, grid, y);
  const auto kernel = precision_ == Precision::exact ? kernels_.multiply_exact : kernels_.multiply_fast;
  pool_.run(grid.chunks(), [&](std::size_t chunk) {
    const std::size_t first_row = chunk / grid.groups() * grid.block_rows;
    const std::size_t last_row = std::min(first_row + grid.block_rows, grid.rows);
    const std::size_t first_pair = chunk % grid.groups() * grid.group_units;
    const std::size_t last_pair = std::min(first_pair + grid.group_units, grid.units);
    // One tile takes its panels in one go; more tiles share each pair while it is in the cache.
    const std::size_t pairs = last_row - first_row <= tile_rows() ? last_pair - first_pair : 1;
    for (std::size_t pair = first_pair; pair < last_pair; pair += pairs) {
      const std::size_t last_panel = std::min(kPair * (pair + pairs), matrix.panels());
      for (std::size_t row = first_row; row < last_row; row += tile_rows()) {
        kernel(PanelTile{matrix, kPair * pair, last_panel, std::min(tile_rows(), last_row - row), packed(matrix, row),
                         y.row(row), y.stride()});
      }
    }
  });
}

/// Rows of a single tile: weights are read once, and from memory.
void Products::multiply_tile(const PanelMatrix& matrix, const Grid& grid, const HostRows& y) {
  const DoubleOrder doubled(grid, pool_.threads());
  const std::size_t chunks = matrix.is_double() ? doubled.chunks() : grid.groups();
  const auto pairs_of = [&](std::size_t chunk) {
    if (matrix.is_double()) return doubled.pairs(chunk);
    return Pairs{grid.group_units * chunk, std::min(grid.group_units * (chunk + 1), grid.units)};
  };
  look_ahead(&matrix, chunks, matrix.panels() * matrix.panel_bytes(), [&](std::size_t chunk) {
    return matrix.codes(chunk == chunks ? matrix.panels() : kPair * pairs_of(chunk).first);
  });
  const auto kernel = precision_ == Precision::exact ? kernels_.multiply_exact : kernels_.multiply_fast;
  pool_.run(chunks, [&](std::size_t chunk) {
    const Pairs pairs = pairs_of(chunk);
    if (pairs.first == pairs.last) return;
    kernel(PanelTile{matrix, kPair * pairs.first, std::min(kPair * pairs.last, matrix.panels()), grid.rows,
                     packed(matrix, 0), y.row(0), y.stride()});
  });
}

void Products::multiply(const HostDenseMatrix& matrix, const HostRows& x, const HostRows& y) {
  if (x.rows() == 0) return;
  constexpr std::size_t kUnit = 4;  // outputs, as many as the kernel takes at once
  const std::size_t row_bytes = matrix.in() * dense_size(matrix.weights().type);
  const Grid grid = cut(x.rows(), matrix.in() * sizeof(float), 1, (matrix.out() + kUnit - 1) / kUnit, kUnit * row_bytes,
                        pool_.threads());
  if (grid.block_rows == grid.rows && grid.rows <= tile_rows()) {
    const auto* const weights = reinterpret_cast<const std::uint8_t*>(matrix.weights().data.data());
    look_ahead(&matrix, grid.chunks(), matrix.out() * row_bytes, [&](std::size_t chunk) {
      return weights + std::min(kUnit * grid.group_units * chunk, matrix.out()) * row_bytes;
    });
  }
  pool_.run(grid.chunks(), [&](std::size_t chunk) {
    const std::size_t first_row = chunk / grid.groups() * grid.block_rows;
    const std::size_t rows = std::min(grid.block_rows, grid.rows - first_row);
    const std::size_t first = chunk % grid.groups() * grid.group_units * kUnit;
    const std::size_t last = std::min(first + grid.group_units * kUnit, matrix.out());
    kernels_.multiply_dense(DenseTile{matrix.weights(), matrix.bias(), first, last, x.row(first_row), x.stride(), rows,
                                      y.row(first_row), y.stride()});
  });
}

}  // namespace kernels
