// The hardware interface: what a transformer engine needs of a machine, in terms of matrices and plain arrays. Knows
// no tokens and no models.
//
// Activations, weights and caches are opaque and live where the backend wants them; small things the host decides per
// step (ids, row numbers, block tables) are spans in host memory. An implementation may run behind the caller: `view`
// and `top_k` wait for everything before them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/dense_format.hpp"
#include "kernels/gptq_format.hpp"
#include "kernels/kv_cache.hpp"
#include "kernels/result.hpp"
#include "kernels/sampling.hpp"

namespace kernels {

enum class Precision : std::uint8_t {
  /// Activations stay float. A row gives the same bits alone, in any batch, with any number of threads.
  exact,
  /// Activations of quantised matrices are rounded to 8 bits per row and block of at most 128 inputs: each rounded
  /// input is off by at most max|block| / 254. Everything else as exact, and as repeatable.
  fast,
};

struct BackendOptions {
  Precision precision = Precision::exact;
  std::size_t threads = 1;  ///< including the caller's; 0: one for each core the process may use
};

/// A weight matrix in a backend's own layout and memory. Used with the backend that made it.
class WeightMatrix {
 public:
  virtual ~WeightMatrix() = default;
  virtual std::size_t in() const noexcept = 0;
  virtual std::size_t out() const noexcept = 0;
  /// Memory held, in bytes: what one pass over the matrix reads. 0 for data that somebody else owns.
  virtual std::size_t bytes() const noexcept = 0;
};

/// Activations in a backend's memory.
class Buffer {
 public:
  virtual ~Buffer() = default;
  virtual std::size_t size() const noexcept = 0;  ///< in elements
};

/// A row-major matrix inside a buffer: row r starts at element offset + r * stride. An argument, not an owner.
struct Rows {
  Buffer* buffer = nullptr;
  std::size_t offset = 0;
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::size_t stride = 0;

  /// The part from column `first` on: q, k or v of a joined projection.
  Rows columns(std::size_t first, std::size_t count) const noexcept {
    return {buffer, offset + first, rows, count, stride};
  }
  /// The part from row `first` on.
  Rows slice(std::size_t first, std::size_t count) const noexcept {
    return {buffer, offset + first * stride, count, cols, stride};
  }
};

/// The first rows * cols elements of a buffer.
inline Rows rows_of(Buffer& buffer, std::size_t rows, std::size_t cols) noexcept {
  return {&buffer, 0, rows, cols, cols};
}

/// Outputs of a row that a rounded output layer computes exactly where it is repaired.
inline constexpr std::size_t kRepairedOutputs = 64;
/// Inputs of a rounded output layer that share a scale.
inline constexpr std::size_t kHeadGroup = 128;

/// Whether `upload` can join these: same inputs, bits and group of every input row.
bool can_join(std::span<const GptqMatrix> parts) noexcept;

/// One kind of hardware. Workspaces live in the object: one thread at a time per object, any number of objects.
/// Sizes that do not fit each other, rows outside their buffer, and indices out of range stop the program (assert).
/// Inputs and outputs of one call do not overlap unless the function says so.
class Backend {
 public:
  virtual ~Backend() = default;

  /// Fixed short word: "reference", "cpu-portable", "cpu-avx2", "cpu-avx512".
  virtual std::string_view name() const noexcept = 0;
  /// Whether this machine can run it; nothing else may be called where it cannot.
  virtual bool available() const noexcept = 0;

  // Memory.

  /// Copies checked layers, joined along their outputs ([q | k | v]), into the backend's own layout; the tensors may
  /// go afterwards. At least one part; more only where `can_join`. `bias` is [sum of out] or empty.
  virtual std::unique_ptr<const WeightMatrix> upload(std::span<const GptqMatrix> parts,
                                                     std::span<const float> bias) const = 0;
  /// The same for plain weights: linear layers, embedding tables, or (tied) both at once.
  virtual std::unique_ptr<const WeightMatrix> upload(const DenseMatrix& weights, std::span<const float> bias) const = 0;
  std::unique_ptr<const WeightMatrix> upload(const GptqMatrix& weights) const { return upload({&weights, 1}, {}); }
  /// Plain weights of an output layer, rounded to `bits` (4 or 8) in groups of kHeadGroup inputs. A backend may compute
  /// the kRepairedOutputs greatest outputs of a row once more from the weights as they are, and does so for every
  /// product then. `name` is for errors: sizes that codes cannot have, values that no scale can (quantise_rows).
  virtual Result<std::unique_ptr<const WeightMatrix>, FormatError> upload_head(const DenseMatrix& weights,
                                                                               unsigned bits,
                                                                               const std::string& name) const;

  /// `size` elements, all zero.
  virtual std::unique_ptr<Buffer> make_buffer(std::size_t size) const = 0;
  /// Copies values.size() == to.rows * to.cols floats in.
  virtual void write(const Rows& to, std::span<const float> values) = 0;
  /// The values as floats in host memory, waiting for what computes them; contiguous rows only (stride == cols).
  /// Valid until the next call that writes the buffer or the next `view`.
  virtual std::span<const float> view(const Rows& from) = 0;
  virtual std::unique_ptr<KvCache> make_kv_cache(const KvShape& shape) const = 0;
  /// Copies whole blocks of every layer, in order. Blocks of one call are not both source and target.
  virtual void copy_blocks(KvCache& cache, std::span<const BlockCopy> copies) = 0;

  // Rows in, rows out.

  /// y[i] = row ids[i] of a table uploaded as plain weights. y is [ids.size()][table.in].
  virtual void embed(const WeightMatrix& table, std::span<const std::int32_t> ids, const Rows& y) = 0;
  /// y = x * W + bias. x is [rows][in], y is [rows][out]. Sums in float or better.
  virtual void matmul(const WeightMatrix& weights, const Rows& x, const Rows& y) = 0;
  /// y = x / sqrt(mean of x^2 + epsilon) * weight, row by row. `weight` is [1][cols]. y may be x.
  virtual void rmsnorm(const Rows& x, const Rows& weight, float epsilon, const Rows& y) = 0;
  /// x += delta, then as rmsnorm of the new x. x is written; y may be delta.
  virtual void add_rmsnorm(const Rows& delta, const Rows& x, const Rows& weight, float epsilon, const Rows& y) = 0;
  /// y = gate / (1 + e^-gate) * up, element by element. y may be gate or up.
  virtual void silu_mul(const Rows& gate, const Rows& up, const Rows& y) = 0;
  /// y[i] = x[rows[i]]: the rows whose logits are wanted.
  virtual void gather(const Rows& x, std::span<const std::int32_t> rows, const Rows& y) = 0;

  // Attention.

  /// Prepares a step for caches of this shape. `frequencies` is [head_dim / 2] in radians per position
  /// (rope_frequencies). The rows of a step are those of its sequences in order; the block tables are copied.
  virtual std::unique_ptr<const PagedBatch> plan(std::span<const SequenceRows> sequences,
                                                 std::span<const float> frequencies, const KvShape& shape) const = 0;
  /// Rotates q and k in place by the angle of their rows' positions, pairs (i, i + head_dim/2), then writes k and v
  /// into the pages. q is [rows][heads * head_dim], k and v are [rows][kv_heads * head_dim].
  virtual void rope_and_store(const PagedBatch& batch, KvCache& cache, std::size_t layer, const Rows& q, const Rows& k,
                              const Rows& v) = 0;
  /// y[row][head] = softmax(q * K^T / sqrt(head_dim)) * V over positions 0 .. the row's own. Query head j reads KV head
  /// j / (heads / kv_heads). q and y are [rows][heads * head_dim], heads a multiple of kv_heads. Softmax in float.
  virtual void attention(const PagedBatch& batch, const KvCache& cache, std::size_t layer, const Rows& q,
                         const Rows& y) = 0;

  /// Runs `work`: any of matmul, rmsnorm, add_rmsnorm, silu_mul, rope_and_store and attention, of this batch. What it
  /// does depends on `key` and on nothing else but the batch, and what it uses lives as long as the backend is given
  /// that key: a backend may record it and replay it for a later batch of as many rows.
  virtual void repeat(std::uint64_t /*key*/, const PagedBatch& /*batch*/, const std::function<void()>& work) { work(); }

  // Choosing.

  /// Chooses a token for each row of logits among the ids below `usable`, at most kMaxVocabulary: the same on every
  /// backend. `rows` and `results` are [logits.rows]. The logits may be overwritten.
  virtual void sample(const Rows& logits, std::size_t usable, std::span<const SampleRow> rows,
                      std::span<SampledId> results);
  /// Whether `sample` runs where the logits are, which spares viewing them.
  virtual bool samples_in_place() const noexcept { return false; }

  /// The k greatest of each row, greatest first, equal ones by lower index first; NaN counts as least. `values` and
  /// `ids` are [rows][k], k at most cols. k = 1 is greedy decoding.
  virtual void top_k(const Rows& x, std::size_t k, std::span<float> values, std::span<std::int32_t> ids) = 0;

  /// matmul for values in host memory, through buffers of its own: for tests and tools.
  void matmul(const WeightMatrix& weights, std::span<const float> x, std::size_t rows, std::span<float> y);
};

/// Every backend this machine can run, fastest first; never empty, the naive reference is always last.
std::vector<std::unique_ptr<Backend>> available_backends(const BackendOptions& options = {});

}  // namespace kernels
