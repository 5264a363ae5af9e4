// Activations and caches in device memory, and the checks of arguments that refer to them.
#pragma once

#include <cassert>
#include <memory>

#include "kernels/backend.hpp"
#include "kernels/cuda/device.hpp"

namespace kernels::cuda {

/// Zeroed floats on a device.
class CudaBuffer final : public Buffer {
 public:
  CudaBuffer(const std::shared_ptr<Device>& device, std::size_t size) : array_(device, size) {
    if (size > 0) device->zero(array_.data(), array_.bytes());
  }
  std::size_t size() const noexcept override { return array_.size(); }
  float* data() const noexcept { return array_.data(); }

 private:
  DeviceArray<float> array_;
};

/// The rows of an argument as device pointers, after checking that they lie inside their buffer.
inline DeviceRows device_rows(const Rows& rows) {
  assert(rows.buffer != nullptr);
  auto* const buffer = dynamic_cast<CudaBuffer*>(rows.buffer);
  assert(buffer != nullptr && "a buffer of another backend");
  assert(rows.rows <= 1 || rows.stride >= rows.cols);
  assert(rows.offset <= buffer->size());
  const std::size_t left = buffer->size() - rows.offset;
  assert(rows.rows == 0 || rows.cols <= left);
  // By division: a hostile stride must not wrap around.
  assert(rows.rows <= 1 || rows.stride == 0 || rows.rows - 1 <= (left - rows.cols) / rows.stride);
  assert(rows.cols <= INT32_MAX && rows.rows <= INT32_MAX);
  return {buffer->data() + rows.offset, rows.stride};
}

/// The same, asserting the shape.
inline DeviceRows shaped_rows(const Rows& rows, std::size_t count, std::size_t cols) {
  assert(rows.rows == count && rows.cols == cols);
  return device_rows(rows);
}

/// A pool of pages (KvPagesView).
class CudaKvCache final : public KvCache {
 public:
  CudaKvCache(const std::shared_ptr<Device>& device, const KvShape& shape);
  const KvShape& shape() const noexcept override { return shape_; }
  std::size_t bytes() const noexcept override { return pages_.bytes() + scales_.bytes(); }
  const KvPagesView& view() const noexcept { return view_; }
  void copy(const BlockCopy& copy);

 private:
  std::shared_ptr<Device> device_;
  KvShape shape_;
  DeviceArray<unsigned char> pages_;
  DeviceArray<ByteScale> scales_;
  KvPagesView view_;
};

}  // namespace kernels::cuda
