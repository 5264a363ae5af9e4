// Must stay naive: one row, one head, one position after another; two passes of softmax over all scores.
#include "kernels/reference/reference_attention.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

#include "kernels/host_buffer.hpp"
#include "kernels/rope.hpp"

namespace kernels {
namespace {

class ReferenceKvCache final : public KvCache {
 public:
  explicit ReferenceKvCache(const KvShape& shape) : shape_(shape) {
    check_kv_shape(shape);
    keys_.resize(shape.layers * block_count() * shape.kv_heads * shape.head_dim);
    values_.resize(keys_.size());
  }
  const KvShape& shape() const noexcept override { return shape_; }
  std::size_t bytes() const noexcept override { return 2 * keys_.size() * sizeof(float); }

  float* key(std::size_t layer, std::size_t block, std::size_t slot, std::size_t head) {
    return keys_.data() + at(layer, block, slot, head);
  }
  float* value(std::size_t layer, std::size_t block, std::size_t slot, std::size_t head) {
    return values_.data() + at(layer, block, slot, head);
  }
  const float* key(std::size_t layer, std::size_t block, std::size_t slot, std::size_t head) const {
    return keys_.data() + at(layer, block, slot, head);
  }
  const float* value(std::size_t layer, std::size_t block, std::size_t slot, std::size_t head) const {
    return values_.data() + at(layer, block, slot, head);
  }
  float kept(float x) const { return shape_.type == KvType::bf16 ? bf16_to_float(to_bf16(x)) : x; }

 private:
  std::size_t block_count() const { return shape_.blocks * shape_.block_tokens; }
  std::size_t at(std::size_t layer, std::size_t block, std::size_t slot, std::size_t head) const {
    assert(layer < shape_.layers && block < shape_.blocks);
    const std::size_t token = layer * block_count() + block * shape_.block_tokens + slot;
    return (token * shape_.kv_heads + head) * shape_.head_dim;
  }

  KvShape shape_;
  std::vector<float> keys_;  // [layer][block][slot][head][dim]
  std::vector<float> values_;
};

struct RowPlace {
  std::size_t position;
  std::vector<std::int32_t> blocks;
};

class ReferenceBatch final : public PagedBatch {
 public:
  ReferenceBatch(std::span<const SequenceRows> sequences, std::span<const float> frequencies, const KvShape& shape)
      : frequencies_(frequencies.begin(), frequencies.end()) {
    assert(frequencies.size() == shape.head_dim / 2);
    check_sequences(sequences, shape);
    for (const SequenceRows& sequence : sequences) {
      for (std::size_t row = 0; row < sequence.rows; ++row) {
        places_.push_back({sequence.first_position + row, {sequence.blocks.begin(), sequence.blocks.end()}});
      }
    }
  }
  std::size_t rows() const noexcept override { return places_.size(); }
  const RowPlace& place(std::size_t row) const { return places_[row]; }
  const std::vector<float>& frequencies() const { return frequencies_; }

 private:
  std::vector<float> frequencies_;
  std::vector<RowPlace> places_;
};

void rotate(float* head, std::size_t position, const std::vector<float>& frequencies) {
  const std::size_t half = frequencies.size();
  for (std::size_t i = 0; i < half; ++i) {
    const double angle = rope_angle(position, frequencies[i]);
    const double a = head[i];
    const double b = head[half + i];
    head[i] = static_cast<float>(a * std::cos(angle) - b * std::sin(angle));
    head[half + i] = static_cast<float>(b * std::cos(angle) + a * std::sin(angle));
  }
}

}  // namespace

std::unique_ptr<KvCache> make_reference_kv_cache(const KvShape& shape) {
  return std::make_unique<ReferenceKvCache>(shape);
}

void reference_copy_blocks(KvCache& cache, std::span<const BlockCopy> copies) {
  auto& pages = dynamic_cast<ReferenceKvCache&>(cache);
  const KvShape& shape = pages.shape();
  for (const BlockCopy& copy : copies) {
    assert(copy.from >= 0 && copy.to >= 0);
    const auto from = static_cast<std::size_t>(copy.from);
    const auto to = static_cast<std::size_t>(copy.to);
    const std::size_t count = shape.block_tokens * shape.kv_heads * shape.head_dim;
    for (std::size_t layer = 0; layer < shape.layers; ++layer) {
      std::copy_n(pages.key(layer, from, 0, 0), count, pages.key(layer, to, 0, 0));
      std::copy_n(pages.value(layer, from, 0, 0), count, pages.value(layer, to, 0, 0));
    }
  }
}

std::unique_ptr<const PagedBatch> make_reference_batch(std::span<const SequenceRows> sequences,
                                                       std::span<const float> frequencies, const KvShape& shape) {
  return std::make_unique<ReferenceBatch>(sequences, frequencies, shape);
}

void reference_rope_and_store(const PagedBatch& batch, KvCache& cache, std::size_t layer, const Rows& q, const Rows& k,
                              const Rows& v) {
  const auto& rows = dynamic_cast<const ReferenceBatch&>(batch);
  auto& pages = dynamic_cast<ReferenceKvCache&>(cache);
  const KvShape& shape = pages.shape();
  const HostRows queries = shaped(q, rows.rows(), q.cols);
  const HostRows keys = shaped(k, rows.rows(), shape.kv_heads * shape.head_dim);
  const HostRows values = shaped(v, rows.rows(), shape.kv_heads * shape.head_dim);
  assert(q.cols % shape.head_dim == 0);
  for (std::size_t r = 0; r < rows.rows(); ++r) {
    const RowPlace& place = rows.place(r);
    for (std::size_t at = 0; at < q.cols; at += shape.head_dim) {
      rotate(queries.row(r) + at, place.position, rows.frequencies());
    }
    const auto block = static_cast<std::size_t>(place.blocks[place.position / shape.block_tokens]);
    const std::size_t slot = place.position % shape.block_tokens;
    for (std::size_t head = 0; head < shape.kv_heads; ++head) {
      float* const key = keys.row(r) + head * shape.head_dim;
      rotate(key, place.position, rows.frequencies());
      for (std::size_t d = 0; d < shape.head_dim; ++d) {
        pages.key(layer, block, slot, head)[d] = pages.kept(key[d]);
        pages.value(layer, block, slot, head)[d] = pages.kept(values.row(r)[head * shape.head_dim + d]);
      }
    }
  }
}

void reference_attention(const PagedBatch& batch, const KvCache& cache, std::size_t layer, const Rows& q,
                         const Rows& y) {
  const auto& rows = dynamic_cast<const ReferenceBatch&>(batch);
  const auto& pages = dynamic_cast<const ReferenceKvCache&>(cache);
  const KvShape& shape = pages.shape();
  const std::size_t dim = shape.head_dim;
  const HostRows queries = shaped(q, rows.rows(), q.cols);
  const HostRows to = shaped(y, rows.rows(), q.cols);
  const std::size_t heads = q.cols / dim;
  assert(q.cols > 0 && q.cols % (dim * shape.kv_heads) == 0);
  for (std::size_t r = 0; r < rows.rows(); ++r) {
    const RowPlace& place = rows.place(r);
    for (std::size_t head = 0; head < heads; ++head) {
      const std::size_t kv_head = head / (heads / shape.kv_heads);
      std::vector<double> weights;
      std::vector<double> sums(dim, 0.0);
      const auto block = [&](std::size_t p) { return static_cast<std::size_t>(place.blocks[p / shape.block_tokens]); };
      for (std::size_t p = 0; p <= place.position; ++p) {
        const float* key = pages.key(layer, block(p), p % shape.block_tokens, kv_head);
        double dot = 0;
        for (std::size_t d = 0; d < dim; ++d) dot += static_cast<double>(queries.row(r)[head * dim + d]) * key[d];
        weights.push_back(dot / std::sqrt(static_cast<double>(dim)));
      }
      const double peak = *std::ranges::max_element(weights);
      double total = 0;
      for (double& weight : weights) total += weight = std::exp(weight - peak);
      for (std::size_t p = 0; p <= place.position; ++p) {
        const float* value = pages.value(layer, block(p), p % shape.block_tokens, kv_head);
        for (std::size_t d = 0; d < dim; ++d) sums[d] += weights[p] * value[d];
      }
      for (std::size_t d = 0; d < dim; ++d) to.row(r)[head * dim + d] = static_cast<float>(sums[d] / total);
    }
  }
}

}  // namespace kernels
