// Products of a weight matrix with rows of activations: cuts them into tiles and chunks and shares those out. The
// arithmetic is in the kernels.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cpu/kernel_table.hpp"
#include "kernels/cpu/read_ahead.hpp"
#include "kernels/cpu/thread_pool.hpp"
#include "kernels/host_buffer.hpp"

namespace kernels {

/// Plain weights on the CPU: used in place where they have an owner, else copied.
class HostDenseMatrix final : public WeightMatrix {
 public:
  HostDenseMatrix(const DenseMatrix& weights, std::span<const float> bias, WeightArena& arena);
  std::size_t in() const noexcept override { return weights_.in; }
  std::size_t out() const noexcept override { return weights_.out; }
  std::size_t bytes() const noexcept override { return bytes_; }
  const DenseMatrix& weights() const noexcept { return weights_; }
  const float* bias() const noexcept { return bias_.empty() ? nullptr : bias_.data(); }

 private:
  DenseMatrix weights_;
  std::vector<float> bias_;
  std::size_t bytes_ = 0;
};

/// A product as a grid: blocks of rows times groups of units (panel pairs or single outputs).
struct Grid {
  std::size_t rows;
  std::size_t units;
  std::size_t block_rows;   ///< rows of a block
  std::size_t group_units;  ///< units of a group

  std::size_t groups() const noexcept { return (units - 1) / group_units + 1; }
  std::size_t chunks() const noexcept { return groups() * ((rows - 1) / block_rows + 1); }
};

/// Holds the workspace for arranged activations; one thread calls it.
class Products {
 public:
  Products(const KernelTable& kernels, ThreadPool& pool, ReadAhead& ahead, Precision precision)
      : kernels_(kernels), pool_(pool), ahead_(ahead), precision_(precision), starts_(pool.threads()) {}

  void multiply(const PanelMatrix& matrix, const HostRows& x, const HostRows& y);
  void multiply(const HostDenseMatrix& matrix, const HostRows& x, const HostRows& y);

 private:
  std::size_t tile_rows() const noexcept {
    return precision_ == Precision::exact ? kernels_.exact_rows : kernels_.fast_rows;
  }
  void arrange(const PanelMatrix& matrix, const HostRows& x);
  void multiply_tile(const PanelMatrix& matrix, const Grid& grid, const HostRows& y);
  /// Before a product that reads all its weights for a few rows: where each thread will begin to read.
  /// `start_of(chunk)` is the address of a chunk's weights, of the end for grid.chunks().
  template <class StartOf>
  void look_ahead(const void* matrix, std::size_t chunks, std::size_t bytes, const StartOf& start_of);
  /// The arranged rows of the tile that starts at a row.
  PackedRows packed(const PanelMatrix& matrix, std::size_t first_row) noexcept;

  const KernelTable& kernels_;
  ThreadPool& pool_;
  ReadAhead& ahead_;
  Precision precision_;
  std::vector<const std::uint8_t*> starts_;
  std::vector<float> floats_;
  std::vector<float> float_sums_;
  std::vector<std::int8_t> bytes_;
  std::vector<std::int32_t> offsets_;
  std::vector<float> scales_;
};

}  // namespace kernels
