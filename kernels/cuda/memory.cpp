// Sizes of pages, and whole blocks copied.
#include "kernels/cuda/memory.hpp"

namespace kernels::cuda {
namespace {

/// Tokens of one layer of one block, keys and values and all heads: they lie together.
std::size_t block_tokens(const KvShape& shape) {
  return shape.kv_heads * 2 * shape.block_tokens;
}

const KvShape& checked(const KvShape& shape) {
  assert(shape.layers > 0 && shape.blocks > 0 && shape.block_tokens > 0 && shape.kv_heads > 0);
  assert(shape.head_dim > 0 && shape.head_dim % 2 == 0 && shape.head_dim <= kMaxHeadDim);
  assert(shape.blocks <= INT32_MAX && shape.block_tokens <= 65536 && shape.kv_heads <= 65536);
  return shape;
}

}  // namespace

CudaKvCache::CudaKvCache(const std::shared_ptr<Device>& device, const KvShape& shape)
    : device_(device),
      shape_(checked(shape)),
      pages_(device, shape.layers * shape.blocks * block_tokens(shape) * shape.head_dim * kv_size(shape.type)),
      scales_(device, shape.type == KvType::int8 ? shape.layers * shape.blocks * block_tokens(shape) : 0),
      view_{pages_.data(),
            scales_.data(),
            shape.type,
            static_cast<std::uint32_t>(shape.blocks),
            static_cast<std::uint32_t>(shape.block_tokens),
            static_cast<std::uint32_t>(shape.kv_heads),
            static_cast<std::uint32_t>(shape.head_dim)} {}

void CudaKvCache::copy(const BlockCopy& copy) {
  assert(copy.from >= 0 && copy.to >= 0);
  const auto from = static_cast<std::size_t>(copy.from);
  const auto to = static_cast<std::size_t>(copy.to);
  assert(from < shape_.blocks && to < shape_.blocks);
  const std::size_t bytes = block_tokens(shape_) * shape_.head_dim * kv_size(shape_.type);
  for (std::size_t layer = 0; layer < shape_.layers; ++layer) {
    const std::size_t first = layer * shape_.blocks;
    device_->copy(pages_.data() + (first + to) * bytes, pages_.data() + (first + from) * bytes, bytes);
    if (scales_.size() == 0) continue;
    const std::size_t count = block_tokens(shape_);
    device_->copy(scales_.data() + (first + to) * count, scales_.data() + (first + from) * count,
                  count * sizeof(ByteScale));
  }
}

}  // namespace kernels::cuda
