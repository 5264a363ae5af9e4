// Which matrices are joined, and what is copied: see Projection.
#include "refserver/transformer/model_weights.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace refserver {
namespace {

kernels::DenseType dense_type(Dtype dtype) {
  if (dtype == Dtype::f32) return kernels::DenseType::f32;
  return dtype == Dtype::bf16 ? kernels::DenseType::bf16 : kernels::DenseType::f16;
}

kernels::DenseMatrix dense_matrix(const PlainMatrix& matrix, std::shared_ptr<const void> owner) {
  return {matrix.bytes, matrix.rows, matrix.cols, dense_type(matrix.dtype), std::move(owner)};
}

std::vector<float> to_floats(const PlainVector& vector) {
  std::vector<float> values(vector.size);
  for (std::size_t i = 0; i < vector.size; ++i) values[i] = vector.at(i);
  return values;
}

/// The biases of layers side by side; empty where none has one.
std::vector<float> joined_bias(std::span<const Linear* const> linears) {
  if (std::ranges::none_of(linears, [](const Linear* linear) { return linear->bias.has_value(); })) return {};
  std::vector<float> values;
  for (const Linear* const linear : linears) {
    const std::vector<float> part = linear->bias ? to_floats(*linear->bias) : std::vector<float>(linear->out, 0.0F);
    values.insert(values.end(), part.begin(), part.end());
  }
  return values;
}

/// The matrices of layers that can become one; empty if they cannot.
std::vector<kernels::GptqMatrix> joinable(std::span<const Linear* const> linears) {
  std::vector<kernels::GptqMatrix> matrices;
  for (const Linear* const linear : linears) {
    if (linear->quantized() == nullptr) return {};
    matrices.push_back(linear->quantized()->matrix);
  }
  if (!kernels::can_join(matrices)) matrices.clear();
  return matrices;
}

std::unique_ptr<const kernels::WeightMatrix> upload_one(const kernels::Backend& backend, const Linear& linear,
                                                        const std::shared_ptr<const void>& owner) {
  const Linear* const pointer = &linear;
  const std::vector<float> bias = joined_bias({&pointer, 1});
  if (const QuantizedWeight* const quantized = linear.quantized()) {
    return backend.upload({&quantized->matrix, 1}, bias);
  }
  return backend.upload(dense_matrix(*linear.plain(), owner), bias);
}

std::unique_ptr<kernels::Buffer> upload_norm(kernels::Backend& backend, const PlainVector& norm) {
  auto buffer = backend.make_buffer(norm.size);
  backend.write(kernels::rows_of(*buffer, 1, norm.size), to_floats(norm));
  return buffer;
}

LayerMatrices upload_layer(kernels::Backend& backend, const LayerWeights& layer,
                           const std::shared_ptr<const void>& owner) {
  const auto project = [&](std::initializer_list<const Linear*> linears) {
    return Projection(backend, {linears.begin(), linears.size()}, owner);
  };
  return {.input_norm = upload_norm(backend, layer.input_norm),
          .qkv = project({&layer.q, &layer.k, &layer.v}),
          .o = project({&layer.o}),
          .post_attention_norm = upload_norm(backend, layer.post_attention_norm),
          .gate_up = project({&layer.gate, &layer.up}),
          .down = project({&layer.down})};
}

CheckpointResult<Projection> upload_head(const kernels::Backend& backend, const Linear& head, HeadStorage storage,
                                         const std::shared_ptr<const void>& owner) {
  const Linear* const pointer = &head;
  if (storage == HeadStorage::as_stored || head.plain() == nullptr) return Projection(backend, {&pointer, 1}, owner);
  auto rounded = backend.upload_head(dense_matrix(*head.plain(), owner), storage == HeadStorage::int8 ? 8 : 4,
                                     std::string(head.name));
  if (rounded.has_error()) {
    return CheckpointError{CheckpointErrc::unsupported, "", "", rounded.error().message + "; keep the head as stored"};
  }
  return Projection(std::move(*rounded));
}

}  // namespace

Projection::Projection(const kernels::Backend& backend, std::span<const Linear* const> linears,
                       const std::shared_ptr<const void>& owner) {
  if (const auto matrices = joinable(linears); !matrices.empty()) {
    parts_.push_back(backend.upload(matrices, joined_bias(linears)));
    return;
  }
  for (const Linear* const linear : linears) parts_.push_back(upload_one(backend, *linear, owner));
}

void Projection::apply(kernels::Backend& backend, const kernels::Rows& x, const kernels::Rows& y) const {
  std::size_t column = 0;
  for (const auto& part : parts_) {
    backend.matmul(*part, x, y.columns(column, part->out()));
    column += part->out();
  }
}

std::size_t Projection::out() const noexcept {
  std::size_t out = 0;
  for (const auto& part : parts_) out += part->out();
  return out;
}

std::size_t Projection::bytes() const noexcept {
  std::size_t bytes = 0;
  for (const auto& part : parts_) bytes += part->bytes();
  return bytes;
}

CheckpointResult<ModelWeights> upload_weights(kernels::Backend& backend, std::shared_ptr<const Checkpoint> checkpoint,
                                              HeadStorage head) {
  auto projection = upload_head(backend, checkpoint->lm_head(), head, checkpoint);
  if (projection.has_error()) return projection.error();
  ModelWeights weights{.config = checkpoint->config(),
                       .embedding = backend.upload(dense_matrix(checkpoint->embedding(), checkpoint), {}),
                       .layers = {},
                       .final_norm = upload_norm(backend, checkpoint->final_norm()),
                       .head = std::move(*projection)};
  weights.bytes = weights.embedding->bytes() + weights.head.bytes();
  for (const LayerWeights& layer : checkpoint->layers()) {
    const LayerMatrices& added = weights.layers.emplace_back(upload_layer(backend, layer, checkpoint));
    for (const Projection* const part : {&added.qkv, &added.o, &added.gate_up, &added.down}) {
      weights.bytes += part->bytes();
    }
  }
  return weights;
}

}  // namespace refserver
