// Queries that read the same pages (rows of a sequence times heads of a KV head) go to a kernel in eights, so a page is
// read once for all of them.
#include "kernels/cpu/pages.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "kernels/rope.hpp"

namespace kernels {
namespace {

constexpr std::size_t kLanes = 16;
constexpr std::size_t kMaxDim = 512;  ///< check_kv_shape

constexpr std::size_t round_up(std::size_t value) {
  return (value + kLanes - 1) / kLanes * kLanes;
}

void put(float& to, float value) {
  to = value;
}
void put(bf16_bits& to, float value) {
  to = to_bf16(value);
}

}  // namespace

HostKvCache::HostKvCache(const KvShape& shape, WeightArena& arena)
    : shape_((check_kv_shape(shape), shape)),
      padded_dim_(round_up(shape.head_dim)),
      head_bytes_(round_up(shape.block_tokens) * padded_dim_ * (shape.type == KvType::f32 ? 4 : 2)),
      block_bytes_(shape.kv_heads * head_bytes_),
      layer_bytes_(shape.blocks * block_bytes_),
      memory_(arena.allocate(2 * shape.layers * layer_bytes_)) {}

KvPages HostKvCache::pages(std::size_t layer, std::size_t head) const noexcept {
  const std::byte* keys = page(layer, 0) + head * head_bytes_;
  return {keys,        keys + layer_bytes_,        block_bytes_, shape_.block_tokens, shape_.head_dim,
          padded_dim_, shape_.type == KvType::bf16};
}

template <class T>
void HostKvCache::store_as(std::byte* page, std::size_t slot, const float* key, const float* value) noexcept {
  T* keys = reinterpret_cast<T*>(page) + slot / kLanes * kLanes * shape_.head_dim + slot % kLanes;
  T* values = reinterpret_cast<T*>(page + layer_bytes_) + slot * padded_dim_;
  for (std::size_t d = 0; d < shape_.head_dim; ++d) {
    put(keys[d * kLanes], key[d]);
    put(values[d], value[d]);
  }
}

void HostKvCache::store(std::size_t layer, std::size_t head, std::size_t block, std::size_t slot, const float* key,
                        const float* value) noexcept {
  std::byte* to = page(layer, block) + head * head_bytes_;
  if (shape_.type == KvType::f32) {
    store_as<float>(to, slot, key, value);
  } else {
    store_as<bf16_bits>(to, slot, key, value);
  }
}

void HostKvCache::copy(const BlockCopy& copy) noexcept {
  const auto exists = [&](std::int32_t block) { return block >= 0 && static_cast<std::size_t>(block) < shape_.blocks; };
  assert(exists(copy.from) && exists(copy.to));
  for (std::size_t layer = 0; layer < shape_.layers; ++layer) {
    const std::byte* from = page(layer, static_cast<std::size_t>(copy.from));
    std::byte* to = page(layer, static_cast<std::size_t>(copy.to));
    std::copy_n(from, block_bytes_, to);
    std::copy_n(from + layer_bytes_, block_bytes_, to + layer_bytes_);
  }
}

HostBatch::HostBatch(std::span<const SequenceRows> sequences, std::span<const float> frequencies, const KvShape& shape)
    : half_(frequencies.size()) {
  check_kv_shape(shape);
  assert(frequencies.size() == shape.head_dim / 2);
  check_sequences(sequences, shape);
  for (const SequenceRows& sequence : sequences) {
    for (std::size_t row = 0; row < sequence.rows; ++row) {
      owners_.push_back(sequences_.size());
      positions_.push_back(sequence.first_position + row);
    }
    sequences_.push_back({positions_.size() - sequence.rows,
                          sequence.rows,
                          sequence.first_position,
                          {sequence.blocks.begin(), sequence.blocks.end()}});
  }
  cosines_.reserve(rows() * half_);
  sines_.reserve(rows() * half_);
  for (const std::size_t position : positions_) {
    for (const float frequency : frequencies) {
      const double angle = rope_angle(position, frequency);
      cosines_.push_back(static_cast<float>(std::cos(angle)));
      sines_.push_back(static_cast<float>(std::sin(angle)));
    }
  }
}

void rope_and_store(const KernelTable& kernels, ThreadPool& pool, const HostBatch& batch, HostKvCache& cache,
                    std::size_t layer, const HostRows& q, const HostRows& k, const HostRows& v) {
  const std::size_t dim = cache.shape().head_dim;
  assert(layer < cache.shape().layers && batch.half() * 2 == dim && q.cols() % dim == 0);
  const auto one_row = [&](std::size_t row) {
    const auto turn = [&](float* head) { kernels.rotate(head, batch.cosines(row), batch.sines(row), batch.half()); };
    for (std::size_t at = 0; at < q.cols(); at += dim) turn(q.row(row) + at);
    const HostBatch::Sequence& sequence = batch.sequence(row);
    const std::size_t position = batch.position(row);
    const std::size_t tokens = cache.shape().block_tokens;
    const auto block = static_cast<std::size_t>(sequence.blocks[position / tokens]);
    for (std::size_t head = 0; head < cache.shape().kv_heads; ++head) {
      turn(k.row(row) + head * dim);
      cache.store(layer, head, block, position % tokens, k.row(row) + head * dim, v.row(row) + head * dim);
    }
  };
  constexpr std::size_t kRowsAtOnce = 4;
  pool.run((batch.rows() + kRowsAtOnce - 1) / kRowsAtOnce, [&](std::size_t chunk) {
    const std::size_t last = std::min((chunk + 1) * kRowsAtOnce, batch.rows());
    for (std::size_t row = chunk * kRowsAtOnce; row < last; ++row) one_row(row);
  });
}

void attend(const KernelTable& kernels, ThreadPool& pool, const HostBatch& batch, const HostKvCache& cache,
            std::size_t layer, const HostRows& q, const HostRows& y) {
  const KvShape& shape = cache.shape();
  const std::size_t dim = shape.head_dim;
  assert(layer < shape.layers && q.cols() > 0 && q.cols() % (dim * shape.kv_heads) == 0);
  const std::size_t ratio = q.cols() / dim / shape.kv_heads;  // query heads that read one KV head
  std::vector<std::size_t> ends;                              // tiles of the sequences so far, all KV heads
  for (const auto& sequence : batch.sequences()) {
    const std::size_t tiles = (sequence.rows * ratio + kQueriesAtOnce - 1) / kQueriesAtOnce;
    ends.push_back((ends.empty() ? 0 : ends.back()) + tiles * shape.kv_heads);
  }
  const float scale = 1.0F / std::sqrt(static_cast<float>(dim));
  struct Place {
    const HostBatch::Sequence& sequence;
    std::size_t head;   ///< of keys and values
    std::size_t first;  ///< query
  };
  const auto place_of = [&](std::size_t chunk) {
    const auto at = static_cast<std::size_t>(std::ranges::upper_bound(ends, chunk) - ends.begin());
    // Longest first: the rows at the end of a prompt see the most.
    const std::size_t back = ends[at] - 1 - chunk;
    return Place{batch.sequences()[at], back % shape.kv_heads, back / shape.kv_heads * kQueriesAtOnce};
  };
  pool.run(ends.empty() ? 0 : ends.back(), [&](std::size_t chunk) {
    const auto [sequence, head, first] = place_of(chunk);
    alignas(64) float scratch[kQueriesAtOnce * kMaxDim];
    AttentionTile tile{.pages = cache.pages(layer, head),
                       .blocks = sequence.blocks.data(),
                       .queries = std::min(kQueriesAtOnce, sequence.rows * ratio - first),
                       .q = {},
                       .y = {},
                       .visible = {},
                       .scratch = scratch,
                       .scale = scale,
                       .next_keys = nullptr,
                       .next_values = nullptr};
    for (std::size_t i = 0; i < tile.queries; ++i) {
      const std::size_t row = (first + i) / ratio;
      const std::size_t column = (head * ratio + (first + i) % ratio) * dim;
      tile.q[i] = q.row(sequence.first_row + row) + column;
      tile.y[i] = y.row(sequence.first_row + row) + column;
      tile.visible[i] = sequence.first_position + row + 1;
    }
    if (chunk + 1 < ends.back()) {
      const Place next = place_of(chunk + 1);
      const KvPages pages = cache.pages(layer, next.head);
      const std::size_t from = static_cast<std::size_t>(next.sequence.blocks.front()) * pages.block_bytes;
      tile.next_keys = pages.keys + from;
      tile.next_values = pages.values + from;
    }
    kernels.attend(tile);
  });
}

}  // namespace kernels
