// The CPU's paged cache, the plan of a step, and attention over them. Knows where things lie; the arithmetic is in the
// kernels.
#pragma once

#include <memory>
#include <vector>

#include "kernels/cpu/kernel_table.hpp"
#include "kernels/cpu/thread_pool.hpp"
#include "kernels/cpu/weight_arena.hpp"
#include "kernels/host_buffer.hpp"

namespace kernels {

/// Keys and values as the attention kernel reads them (KvPages): [layer][block][head], keys and values apart.
class HostKvCache final : public KvCache {
 public:
  HostKvCache(const KvShape& shape, WeightArena& arena);
  const KvShape& shape() const noexcept override { return shape_; }
  std::size_t bytes() const noexcept override { return 2 * shape_.layers * layer_bytes_; }

  KvPages pages(std::size_t layer, std::size_t head) const noexcept;
  /// Writes one token's key and value of a head; rounds if the cache is bfloat16.
  void store(std::size_t layer, std::size_t head, std::size_t block, std::size_t slot, const float* key,
             const float* value) noexcept;
  void copy(const BlockCopy& copy) noexcept;

 private:
  template <class T>
  void store_as(std::byte* page, std::size_t slot, const float* key, const float* value) noexcept;
  std::byte* page(std::size_t layer, std::size_t block) const noexcept {
    return memory_.get() + layer * 2 * layer_bytes_ + block * block_bytes_;
  }

  KvShape shape_;
  std::size_t padded_dim_;
  std::size_t head_bytes_;   ///< keys (or values) of one head in one block
  std::size_t block_bytes_;  ///< of all heads
  std::size_t layer_bytes_;  ///< of all blocks; values follow keys
  std::shared_ptr<std::byte> memory_;
};

class HostBatch final : public PagedBatch {
 public:
  HostBatch(std::span<const SequenceRows> sequences, std::span<const float> frequencies, const KvShape& shape);
  std::size_t rows() const noexcept override { return positions_.size(); }

  struct Sequence {
    std::size_t first_row;
    std::size_t rows;
    std::size_t first_position;
    std::vector<std::int32_t> blocks;
  };
  const std::vector<Sequence>& sequences() const noexcept { return sequences_; }
  std::size_t position(std::size_t row) const noexcept { return positions_[row]; }
  const Sequence& sequence(std::size_t row) const noexcept { return sequences_[owners_[row]]; }
  std::size_t half() const noexcept { return half_; }
  const float* cosines(std::size_t row) const noexcept { return cosines_.data() + row * half_; }
  const float* sines(std::size_t row) const noexcept { return sines_.data() + row * half_; }

 private:
  std::size_t half_;
  std::vector<Sequence> sequences_;
  std::vector<std::size_t> positions_;
  std::vector<std::size_t> owners_;
  std::vector<float> cosines_;
  std::vector<float> sines_;
};

/// Rotates q and k in place and writes k and v; shapes are checked here.
void rope_and_store(const KernelTable& kernels, ThreadPool& pool, const HostBatch& batch, HostKvCache& cache,
                    std::size_t layer, const HostRows& q, const HostRows& k, const HostRows& v);

void attend(const KernelTable& kernels, ThreadPool& pool, const HostBatch& batch, const HostKvCache& cache,
            std::size_t layer, const HostRows& q, const HostRows& y);

}  // namespace kernels
