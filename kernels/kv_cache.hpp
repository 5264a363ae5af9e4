// Keys and values of past tokens in pages, and which sequences of a step use which pages. Shapes and indices only:
// the memory and its layout belong to the backend.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kernels {

enum class KvType : std::uint8_t {
  f32,
  bf16,  ///< rounded to nearest even when written
  // What follows only accelerators have.
  f16,
  fp8,   ///< E4M3, unscaled: beyond 448 it stays 448
  int8,  ///< 256 steps from the least to the greatest of each token, head, and key or value
};

/// One pool of pages for all layers: block b holds `block_tokens` consecutive tokens of one sequence in every layer.
struct KvShape {
  std::size_t layers = 0;
  std::size_t blocks = 0;
  std::size_t block_tokens = 16;
  std::size_t kv_heads = 0;
  std::size_t head_dim = 0;  ///< even
  KvType type = KvType::f32;
};

/// A pool of pages in a backend's memory. Its contents are undefined until written.
class KvCache {
 public:
  virtual ~KvCache() = default;
  virtual const KvShape& shape() const noexcept = 0;
  /// Memory held, in bytes.
  virtual std::size_t bytes() const noexcept = 0;
};

/// Consecutive new tokens of one sequence in a step: one row while decoding, a chunk of the prompt before that.
struct SequenceRows {
  std::size_t rows = 0;            ///< at least 1
  std::size_t first_position = 0;  ///< of the first row; the tokens before it are in the cache already
  /// Block table: token at position p is slot p % block_tokens of block blocks[p / block_tokens]. Long enough for
  /// the last row. Sequences may share blocks that none of them writes in this step.
  std::span<const std::int32_t> blocks;
};

/// The rows of one step, prepared once and used by every layer: positions, pages, angles. Made by a backend.
class PagedBatch {
 public:
  virtual ~PagedBatch() = default;
  /// Rows of all sequences together.
  virtual std::size_t rows() const noexcept = 0;
};

/// Copy of one block over all layers, for sequences that part from a common prefix inside a block.
struct BlockCopy {
  std::int32_t from = 0;
  std::int32_t to = 0;
};

}  // namespace kernels
