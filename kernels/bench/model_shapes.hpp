// Models by their shapes, with random weights: what a benchmark of decoding needs. Speed does not depend on the values.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "kernels/backend.hpp"
#include "kernels/gptq_pack.hpp"
#include "kernels/rope.hpp"

namespace kernels::bench {

struct ModelShape {
  const char* name;
  std::size_t layers;
  std::size_t hidden;
  std::size_t intermediate;
  std::size_t heads;
  std::size_t kv_heads;
  std::size_t head_dim;
  std::size_t vocabulary;

  std::size_t qkv() const { return (heads + 2 * kv_heads) * head_dim; }
  /// Multiplications per token in the layers' matrices.
  double layer_macs() const {
    const std::size_t attention = hidden * qkv() + heads * head_dim * hidden;
    return static_cast<double>(layers * (attention + 3 * hidden * intermediate));
  }
};

inline constexpr ModelShape kQwen2Small{"qwen2-0.5b", 24, 896, 4864, 14, 2, 64, 151936};
inline constexpr ModelShape kTinyLlama{"tinyllama-1.1b", 22, 2048, 5632, 32, 4, 64, 32000};

inline GptqPacked random_layer(std::size_t in, std::size_t out, unsigned bits) {
  std::mt19937 random(7);  // NOLINT: the same weights every time
  GptqPacked packed{};
  packed.name = "bench";
  packed.in = in;
  packed.out = out;
  packed.bits = bits;
  packed.qweight.resize(in / codes_per_word(bits) * out);
  for (auto& word : packed.qweight) word = static_cast<std::uint32_t>(random());
  packed.qzeros.assign(in / 128 * out / codes_per_word(bits), bits == 4 ? 0x77777777U : 0x7F7F7F7FU);
  packed.scales.assign(in / 128 * out, to_half(bits == 4 ? 0.004F : 0.0003F));
  return packed;
}

/// A model on a backend: 4-bit layers in groups of 128, an 8-bit head; buffers for `rows` rows.
class Model {
 public:
  Model(Backend& backend, const ModelShape& shape, std::size_t rows, std::size_t context, KvType cache)
      : backend_(backend), shape_(shape), rows_(rows), context_(context) {
    const auto upload = [&](std::size_t in, std::size_t out, unsigned bits) {
      const GptqPacked packed = random_layer(in, out, bits);
      auto matrix = backend.upload(*make_gptq_matrix(packed.tensors(), 128));
      bytes_ += matrix->bytes();
      return matrix;
    };
    for (std::size_t i = 0; i < shape.layers; ++i) {
      layers_.push_back({upload(shape.hidden, shape.qkv(), 4), upload(shape.heads * shape.head_dim, shape.hidden, 4),
                         upload(shape.hidden, 2 * shape.intermediate, 4), upload(shape.intermediate, shape.hidden, 4)});
    }
    layer_bytes_ = bytes_;
    head_ = upload(shape.hidden, shape.vocabulary, 8);
    make_buffers();
    make_cache(cache);
  }

  std::size_t bytes() const { return bytes_; }
  std::size_t layer_bytes() const { return layer_bytes_; }

  /// The layers' matrices alone, on `rows` rows.
  void multiply_layers(std::size_t rows) {
    for (const Layer& layer : layers_) {
      backend_.matmul(*layer.qkv, at(*x_, rows, shape_.hidden), at(*qkv_, rows, shape_.qkv()));
      backend_.matmul(*layer.out, at(*mixed_, rows, shape_.heads * shape_.head_dim), at(*normed_, rows, shape_.hidden));
      backend_.matmul(*layer.gate_up, at(*x_, rows, shape_.hidden), at(*gate_up_, rows, 2 * shape_.intermediate));
      backend_.matmul(*layer.down, at(*act_, rows, shape_.intermediate), at(*normed_, rows, shape_.hidden));
    }
  }

  /// Keys and values of all positions: without it attention reads whatever memory held.
  void fill_cache() {
    const std::size_t q = shape_.heads * shape_.head_dim;
    const std::size_t kv = shape_.kv_heads * shape_.head_dim;
    for (const auto& table : tables_) {
      for (std::size_t first = 0; first < context_; first += rows_) {
        const std::vector<SequenceRows> sequence{{std::min(rows_, context_ - first), first, table}};
        const auto plan = backend_.plan(sequence, frequencies_, cache_->shape());
        const Rows qkv = at(*qkv_, plan->rows(), shape_.qkv());
        for (std::size_t i = 0; i < layers_.size(); ++i) {
          backend_.rope_and_store(*plan, *cache_, i, qkv.columns(0, q), qkv.columns(q, kv), qkv.columns(q + kv, kv));
        }
      }
    }
    fill(*qkv_, rows_, shape_.qkv());  // queries and keys have been rotated again and again
  }
  /// The residual stream as it was in the beginning: steps add to it.
  void reset() { fill(*x_, rows_, shape_.hidden); }

  /// A whole step: one new token for each of `rows` sequences at the context, greedy choice included. Backends may
  /// record it under the key.
  void step(std::size_t rows, std::uint64_t key = 0) {
    std::vector<SequenceRows> sequences;
    for (std::size_t s = 0; s < rows; ++s) sequences.push_back({1, context_ - 1, tables_[s]});
    const auto plan = backend_.plan(sequences, frequencies_, cache_->shape());
    backend_.repeat(key, *plan, [&] { run_layers(*plan); });
    choose(rows);
  }
  /// The same without a chance to record it.
  void step_plainly(std::size_t rows) {
    std::vector<SequenceRows> sequences;
    for (std::size_t s = 0; s < rows; ++s) sequences.push_back({1, context_ - 1, tables_[s]});
    run_layers(*backend_.plan(sequences, frequencies_, cache_->shape()));
    choose(rows);
  }
  /// Of the last step.
  std::span<const float> logits(std::size_t rows) { return backend_.view(at(*logits_, rows, shape_.vocabulary)); }

 private:
  struct Layer {
    std::unique_ptr<const WeightMatrix> qkv, out, gate_up, down;
  };
  static Rows at(Buffer& buffer, std::size_t rows, std::size_t cols) { return rows_of(buffer, rows, cols); }

  void run_layers(const PagedBatch& plan) {
    const std::size_t rows = plan.rows();
    const std::size_t q = shape_.heads * shape_.head_dim;
    const std::size_t kv = shape_.kv_heads * shape_.head_dim;
    const Rows x = at(*x_, rows, shape_.hidden);
    const Rows normed = at(*normed_, rows, shape_.hidden);
    const Rows qkv = at(*qkv_, rows, shape_.qkv());
    const Rows mixed = at(*mixed_, rows, q);
    const Rows gate_up = at(*gate_up_, rows, 2 * shape_.intermediate);
    const Rows act = at(*act_, rows, shape_.intermediate);
    const Rows weight = at(*weight_, 1, shape_.hidden);
    backend_.rmsnorm(x, weight, 1e-6F, normed);
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      backend_.matmul(*layers_[i].qkv, normed, qkv);
      backend_.rope_and_store(plan, *cache_, i, qkv.columns(0, q), qkv.columns(q, kv), qkv.columns(q + kv, kv));
      backend_.attention(plan, *cache_, i, qkv.columns(0, q), mixed);
      backend_.matmul(*layers_[i].out, mixed, normed);
      backend_.add_rmsnorm(normed, x, weight, 1e-6F, normed);
      backend_.matmul(*layers_[i].gate_up, normed, gate_up);
      backend_.silu_mul(gate_up.columns(0, shape_.intermediate),
                        gate_up.columns(shape_.intermediate, shape_.intermediate), act);
      backend_.matmul(*layers_[i].down, act, normed);
      backend_.add_rmsnorm(normed, x, weight, 1e-6F, normed);
    }
  }
  void choose(std::size_t rows) {
    backend_.matmul(*head_, at(*normed_, rows, shape_.hidden), at(*logits_, rows, shape_.vocabulary));
    std::vector<float> best(rows);
    std::vector<std::int32_t> ids(rows);
    backend_.top_k(at(*logits_, rows, shape_.vocabulary), 1, best, ids);
  }

  void fill(Buffer& buffer, std::size_t rows, std::size_t cols) {
    std::vector<float> values(rows * cols);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 17) / 16.0F - 0.5F;
    backend_.write(rows_of(buffer, rows, cols), values);
  }
  void make_buffers() {
    const auto filled = [&](std::size_t rows, std::size_t cols) {
      auto buffer = backend_.make_buffer(rows * cols);
      fill(*buffer, rows, cols);
      return buffer;
    };
    x_ = filled(rows_, shape_.hidden);
    normed_ = filled(rows_, shape_.hidden);
    qkv_ = filled(rows_, shape_.qkv());
    mixed_ = filled(rows_, shape_.heads * shape_.head_dim);
    gate_up_ = filled(rows_, 2 * shape_.intermediate);
    act_ = filled(rows_, shape_.intermediate);
    weight_ = filled(1, shape_.hidden);
    logits_ = filled(std::min<std::size_t>(rows_, kMostSequences), shape_.vocabulary);
  }
  void make_cache(KvType type) {
    const std::size_t blocks = (context_ + 15) / 16;
    cache_ = backend_.make_kv_cache({.layers = shape_.layers,
                                     .blocks = blocks * kMostSequences,
                                     .kv_heads = shape_.kv_heads,
                                     .head_dim = shape_.head_dim,
                                     .type = type});
    for (std::size_t s = 0; s < kMostSequences; ++s) {
      for (std::size_t b = 0; b < blocks; ++b) tables_[s].push_back(static_cast<std::int32_t>(s * blocks + b));
    }
    frequencies_ = rope_frequencies({.head_dim = shape_.head_dim});
  }

  static constexpr std::size_t kMostSequences = 16;
  Backend& backend_;
  ModelShape shape_;
  std::size_t rows_;
  std::size_t context_;
  std::size_t bytes_ = 0;
  std::size_t layer_bytes_ = 0;
  std::vector<Layer> layers_;
  std::unique_ptr<const WeightMatrix> head_;
  std::unique_ptr<Buffer> x_, normed_, qkv_, mixed_, gate_up_, act_, weight_, logits_;
  std::unique_ptr<KvCache> cache_;
  std::vector<std::int32_t> tables_[kMostSequences];
  std::vector<float> frequencies_;
};

}  // namespace kernels::bench
