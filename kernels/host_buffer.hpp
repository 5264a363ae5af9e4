// Activations in host memory, for every backend that computes there, and the checks of what refers to them.
#pragma once

#include <cassert>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>

#include "kernels/backend.hpp"

namespace kernels {

/// Zeroed floats, aligned to a cache line.
class HostBuffer final : public Buffer {
 public:
  explicit HostBuffer(std::size_t size)
      : size_(size), data_(static_cast<float*>(::operator new(size * sizeof(float), kAlignment))) {
    std::memset(data_, 0, size * sizeof(float));
  }
  ~HostBuffer() override { ::operator delete(data_, kAlignment); }
  HostBuffer(const HostBuffer&) = delete;
  HostBuffer& operator=(const HostBuffer&) = delete;

  std::size_t size() const noexcept override { return size_; }
  float* data() noexcept { return data_; }

 private:
  static constexpr std::align_val_t kAlignment{64};
  std::size_t size_;
  float* data_;
};

/// The rows of an argument as pointers, after checking that they lie inside their buffer.
class HostRows {
 public:
  explicit HostRows(const Rows& rows) : rows_(rows.rows), cols_(rows.cols), stride_(rows.stride) {
    assert(rows.buffer != nullptr);
    auto* const buffer = dynamic_cast<HostBuffer*>(rows.buffer);
    assert(buffer != nullptr && "a buffer of another backend");
    assert(rows_ <= 1 || stride_ >= cols_);
    assert(rows.offset <= buffer->size());
    const std::size_t left = buffer->size() - rows.offset;
    assert(rows_ == 0 || cols_ <= left);
    // By division: a hostile stride must not wrap around.
    assert(rows_ <= 1 || stride_ == 0 || rows_ - 1 <= (left - cols_) / stride_);
    data_ = buffer->data() + rows.offset;
  }

  std::size_t rows() const noexcept { return rows_; }
  std::size_t cols() const noexcept { return cols_; }
  std::size_t stride() const noexcept { return stride_; }
  float* row(std::size_t r) const noexcept { return data_ + r * stride_; }
  std::span<float> span(std::size_t r) const noexcept { return {row(r), cols_}; }

 private:
  float* data_;
  std::size_t rows_;
  std::size_t cols_;
  std::size_t stride_;
};

/// Asserts that an argument has this shape.
inline HostRows shaped(const Rows& rows, std::size_t count, std::size_t cols) {
  assert(rows.rows == count && rows.cols == cols);
  return HostRows(rows);
}

/// Asserts what every KvCache in host memory needs: nothing empty, head_dim even and at most 512, block numbers that
/// fit an int, a type the CPU has.
inline void check_kv_shape(const KvShape& shape) {
  assert(shape.layers > 0 && shape.blocks > 0 && shape.block_tokens > 0 && shape.kv_heads > 0);
  assert(shape.head_dim > 0 && shape.head_dim % 2 == 0 && shape.head_dim <= 512);
  assert(shape.blocks <= INT32_MAX && shape.block_tokens <= 65536);
  assert(shape.type == KvType::f32 || shape.type == KvType::bf16);
}

/// Asserts that the block tables of a step reach their last rows and name blocks that exist.
inline void check_sequences(std::span<const SequenceRows> sequences, const KvShape& shape) {
  for (const SequenceRows& sequence : sequences) {
    assert(sequence.rows > 0);
    const std::size_t room = sequence.blocks.size() * shape.block_tokens;
    assert(sequence.first_position <= room && sequence.rows <= room - sequence.first_position);
    for (const std::int32_t block : sequence.blocks) {
      assert(block >= 0 && static_cast<std::size_t>(block) < shape.blocks);
    }
  }
}

}  // namespace kernels
