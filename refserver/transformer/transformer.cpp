// x = embedding; per layer x += attention(norm(x)), x += mlp(norm(x)); logits = head(norm(x)).
#include "refserver/transformer/transformer.hpp"

#include <cassert>
#include <utility>

#include "kernels/rope.hpp"

namespace refserver {
namespace {

std::vector<float> frequencies_of(const ModelConfig& config) {
  kernels::RopeConfig rope{.head_dim = config.head_dim, .theta = config.rope.theta};
  if (const auto& llama3 = config.rope.llama3) {
    rope.llama3 = kernels::Llama3Scaling{.factor = llama3->factor,
                                         .low_frequency_factor = llama3->low_freq_factor,
                                         .high_frequency_factor = llama3->high_freq_factor,
                                         .original_positions = static_cast<double>(llama3->original_max_positions)};
  }
  return kernels::rope_frequencies(rope);
}

}  // namespace

Transformer::Transformer(std::shared_ptr<kernels::Backend> backend, std::shared_ptr<const ModelWeights> weights,
                         const TransformerLimits& limits)
    : backend_(std::move(backend)),
      weights_(std::move(weights)),
      limits_(limits),
      frequencies_(frequencies_of(weights_->config)) {
  assert(limits.rows > 0 && limits.logit_rows > 0 && limits.blocks > 0 && limits.block_tokens > 0);
  const ModelConfig& model = weights_->config;
  cache_ = backend_->make_kv_cache({.layers = model.layers,
                                    .blocks = limits.blocks,
                                    .block_tokens = limits.block_tokens,
                                    .kv_heads = model.kv_heads,
                                    .head_dim = model.head_dim,
                                    .type = limits.kv_type});
  make_buffers();
}

void Transformer::make_buffers() {
  const ModelConfig& model = weights_->config;
  const auto make = [this](std::size_t rows, std::size_t cols) {
    buffer_bytes_ += rows * cols * sizeof(float);
    return backend_->make_buffer(rows * cols);
  };
  residual_ = make(limits_.rows, model.hidden_size);
  normed_ = make(limits_.rows, model.hidden_size);
  qkv_ = make(limits_.rows, model.q_size() + 2 * model.kv_size());
  mixed_ = make(limits_.rows, model.q_size());
  gate_up_ = make(limits_.rows, 2 * model.intermediate_size);
  selected_ = make(limits_.logit_rows, model.hidden_size);
  logits_ = make(limits_.logit_rows, model.vocab_size);
}

void Transformer::run(std::span<const SequenceSlice> slices) {
  ids_.clear();
  std::vector<kernels::SequenceRows> sequences;
  for (const SequenceSlice& slice : slices) {
    ids_.insert(ids_.end(), slice.ids.begin(), slice.ids.end());
    sequences.push_back({slice.ids.size(), slice.position, slice.blocks});
  }
  rows_ = ids_.size();
  assert(rows_ > 0 && rows_ <= limits_.rows);
  const ModelConfig& model = weights_->config;
  const auto batch = backend_->plan(sequences, frequencies_, cache_->shape());
  backend_->embed(*weights_->embedding, ids_, first(*residual_, rows_, model.hidden_size));
  // Of one object, steps of as many rows differ in the batch alone.
  backend_->repeat(reinterpret_cast<std::uintptr_t>(this), *batch, [&] { run_layers(*batch); });
}

void Transformer::run_layers(const kernels::PagedBatch& batch) {
  const ModelConfig& model = weights_->config;
  backend_->rmsnorm(first(*residual_, rows_, model.hidden_size),
                    first(*weights_->layers.front().input_norm, 1, model.hidden_size),
                    static_cast<float>(model.rms_norm_eps), first(*normed_, rows_, model.hidden_size));
  for (std::size_t i = 0; i < weights_->layers.size(); ++i) run_layer(i, batch, rows_);
}

/// Takes and leaves the normed residual stream in `normed_`.
void Transformer::run_layer(std::size_t index, const kernels::PagedBatch& batch, std::size_t rows) {
  const ModelConfig& model = weights_->config;
  const LayerMatrices& layer = weights_->layers[index];
  const bool is_last = index + 1 == weights_->layers.size();
  kernels::Buffer& next_norm = is_last ? *weights_->final_norm : *weights_->layers[index + 1].input_norm;
  const auto epsilon = static_cast<float>(model.rms_norm_eps);
  const kernels::Rows x = first(*residual_, rows, model.hidden_size);
  const kernels::Rows normed = first(*normed_, rows, model.hidden_size);
  const kernels::Rows qkv = first(*qkv_, rows, model.q_size() + 2 * model.kv_size());
  const kernels::Rows q = qkv.columns(0, model.q_size());
  const kernels::Rows k = qkv.columns(model.q_size(), model.kv_size());
  const kernels::Rows v = qkv.columns(model.q_size() + model.kv_size(), model.kv_size());
  const kernels::Rows mixed = first(*mixed_, rows, model.q_size());
  const kernels::Rows gate_up = first(*gate_up_, rows, 2 * model.intermediate_size);
  const kernels::Rows gate = gate_up.columns(0, model.intermediate_size);
  const kernels::Rows up = gate_up.columns(model.intermediate_size, model.intermediate_size);

  layer.qkv.apply(*backend_, normed, qkv);
  backend_->rope_and_store(batch, *cache_, index, q, k, v);
  backend_->attention(batch, *cache_, index, q, mixed);
  layer.o.apply(*backend_, mixed, normed);
  backend_->add_rmsnorm(normed, x, first(*layer.post_attention_norm, 1, model.hidden_size), epsilon, normed);
  layer.gate_up.apply(*backend_, normed, gate_up);
  backend_->silu_mul(gate, up, gate);
  layer.down.apply(*backend_, gate, normed);
  backend_->add_rmsnorm(normed, x, first(next_norm, 1, model.hidden_size), epsilon, normed);
}

std::span<const float> Transformer::logits(std::span<const std::int32_t> rows) {
  return backend_->view(compute_logits(rows));
}

void Transformer::sample(std::span<const std::int32_t> rows, std::size_t usable,
                         std::span<const kernels::SampleRow> wanted, std::span<kernels::SampledId> chosen) {
  backend_->sample(compute_logits(rows), usable, wanted, chosen);
}

kernels::Rows Transformer::compute_logits(std::span<const std::int32_t> rows) {
  assert(rows.size() <= limits_.logit_rows);
  const ModelConfig& model = weights_->config;
  const kernels::Rows selected = first(*selected_, rows.size(), model.hidden_size);
  const kernels::Rows logits = first(*logits_, rows.size(), model.vocab_size);
  backend_->gather(first(*normed_, rows_, model.hidden_size), rows, selected);
  weights_->head.apply(*backend_, selected, logits);
  return logits;
}

}  // namespace refserver
