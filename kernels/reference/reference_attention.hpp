// The reference's paged cache and attention over it, as free functions for its backend. Sums in double.
#pragma once

#include <memory>

#include "kernels/backend.hpp"

namespace kernels {

std::unique_ptr<KvCache> make_reference_kv_cache(const KvShape& shape);
void reference_copy_blocks(KvCache& cache, std::span<const BlockCopy> copies);
std::unique_ptr<const PagedBatch> make_reference_batch(std::span<const SequenceRows> sequences,
                                                       std::span<const float> frequencies, const KvShape& shape);
void reference_rope_and_store(const PagedBatch& batch, KvCache& cache, std::size_t layer, const Rows& q, const Rows& k,
                              const Rows& v);
void reference_attention(const PagedBatch& batch, const KvCache& cache, std::size_t layer, const Rows& q,
                         const Rows& y);

}  // namespace kernels
