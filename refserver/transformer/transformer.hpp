// The forward pass of Llama and Qwen2 models over paged keys and values, on any backend. Speaks token ids, positions
// and blocks; knows no requests and chooses no tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/backend.hpp"
#include "refserver/transformer/model_weights.hpp"

namespace refserver {

/// What memory is set aside for. All at least 1.
struct TransformerLimits {
  std::size_t rows = 0;          ///< tokens of one pass
  std::size_t logit_rows = 0;    ///< rows whose logits are computed at once
  std::size_t blocks = 0;        ///< of keys and values
  std::size_t block_tokens = 0;  ///< of one block
  kernels::KvType kv_type = kernels::KvType::f32;
};

/// Consecutive tokens of one sequence. Those before `position` were computed in earlier passes (or by another sequence
/// that shares the blocks).
struct SequenceSlice {
  std::size_t position = 0;              ///< of the first
  std::span<const std::int32_t> ids;     ///< below the model's vocabulary size
  std::span<const std::int32_t> blocks;  ///< the sequence's table, long enough for the last
};

/// Memory is settled here, once. One thread at a time; several objects may share weights and, used in turn, a backend.
class Transformer {
 public:
  /// Throws std::bad_alloc.
  Transformer(std::shared_ptr<kernels::Backend> backend, std::shared_ptr<const ModelWeights> weights,
              const TransformerLimits& limits);

  /// Computes slices of different sequences, or of one in order; together at most limits.rows tokens. Their keys and
  /// values are in the cache afterwards.
  void run(std::span<const SequenceSlice> slices);
  /// The logits of rows of the last pass, counted over its slices in order: [rows.size()][vocab_size], at most
  /// limits.logit_rows. Valid until the next call of either.
  std::span<const float> logits(std::span<const std::int32_t> rows);
  /// Tokens chosen from the same among the ids below `usable`, without viewing them: kernels::Backend::sample.
  void sample(std::span<const std::int32_t> rows, std::size_t usable, std::span<const kernels::SampleRow> wanted,
              std::span<kernels::SampledId> chosen);
  /// Whether that is where the logits are.
  bool samples_in_place() const noexcept { return backend_->samples_in_place(); }

  const ModelConfig& config() const noexcept { return weights_->config; }
  const TransformerLimits& limits() const noexcept { return limits_; }
  /// Memory of keys and values, and of buffers, in bytes.
  std::size_t kv_bytes() const noexcept { return cache_->bytes(); }
  std::size_t buffer_bytes() const noexcept { return buffer_bytes_; }

 private:
  void make_buffers();
  void run_layers(const kernels::PagedBatch& batch);
  void run_layer(std::size_t index, const kernels::PagedBatch& batch, std::size_t rows);
  kernels::Rows compute_logits(std::span<const std::int32_t> rows);
  kernels::Rows first(kernels::Buffer& buffer, std::size_t rows, std::size_t cols) const {
    return kernels::rows_of(buffer, rows, cols);
  }

  std::shared_ptr<kernels::Backend> backend_;
  std::shared_ptr<const ModelWeights> weights_;
  TransformerLimits limits_;
  std::unique_ptr<kernels::KvCache> cache_;
  std::vector<float> frequencies_;
  std::size_t buffer_bytes_ = 0;
  std::size_t rows_ = 0;                       ///< of the last pass
  std::vector<std::int32_t> ids_;              ///< of a pass
  std::unique_ptr<kernels::Buffer> residual_;  ///< [rows][hidden]
  std::unique_ptr<kernels::Buffer> normed_;    ///< [rows][hidden]: what a layer's part reads, and what it gives
  std::unique_ptr<kernels::Buffer> qkv_;       ///< [rows][q | k | v]
  std::unique_ptr<kernels::Buffer> mixed_;     ///< [rows][q]: what attention gives
  std::unique_ptr<kernels::Buffer> gate_up_;   ///< [rows][gate | up]
  std::unique_ptr<kernels::Buffer> selected_;  ///< [logit_rows][hidden]
  std::unique_ptr<kernels::Buffer> logits_;    ///< [logit_rows][vocabulary]
};

}  // namespace refserver
