// The accelerator as the backend sees it: memory, copies, launches, all in one order. The GPU is one (cuda_device.cu),
// the emulator of the tests another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "kernels/cuda/kernel_list.hpp"
#include "kernels/cuda/overlap.hpp"

namespace kernels::cuda {

struct DeviceFacts {
  std::string name;
  std::string capability;  ///< "9.0"
  int driver_version = 0;  ///< of CUDA, 12020 for 12.2
  int runtime_version = 0;
  std::size_t total_bytes = 0;
  std::size_t free_bytes = 0;  ///< now; everybody's use counts
  std::size_t second_level_bytes = 0;
};

/// One by one, or recorded once and replayed.
enum class Dispatch : std::uint8_t { launches, graph };

/// Work that a device has recorded.
class Recording {
 public:
  virtual ~Recording() = default;
  /// Does it once more, after everything before.
  virtual void replay() = 0;
};

/// Whatever fails on a device (no memory, a launch that ends badly) throws std::runtime_error, then and at every call
/// after. One thread at a time.
class Device {
 public:
  virtual ~Device() = default;

  /// Processors that blocks run on at the same time: what grids are sized by.
  virtual unsigned processors() const noexcept = 0;
  /// Of one processor, in bytes.
  virtual std::size_t shared_bytes() const noexcept = 0;
  /// Not initialised. Released memory may be given out again at once: all work is in one order.
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* memory) noexcept = 0;
  virtual void zero(void* memory, std::size_t bytes) = 0;
  /// `from` may go when this returns.
  virtual void copy_in(void* to, const void* from, std::size_t bytes) = 0;
  virtual void copy(void* to, const void* from, std::size_t bytes) = 0;
  /// Waits for everything before it.
  virtual void copy_out(void* to, const void* from, std::size_t bytes) = 0;

  /// y[r][n] (float, y_stride) = sum over k of x[r][k] * w[n][k], both halves with rows of `in`; float sums. Gives
  /// false where the device has no library for it.
  virtual bool library_product(const std::uint16_t* w, const std::uint16_t* x, float* y, std::size_t out,
                               std::size_t in, std::size_t rows, std::size_t y_stride) = 0;

  /// y[r][n] = sum over k of x[r][k] * w[n][k], all bfloat16, rows of `in` and of `out`: what others' products of plain
  /// weights reach. For benchmarks. Gives false where the device has no library for it.
  virtual bool library_bf16(const std::uint16_t* w, const std::uint16_t* x, std::uint16_t* y, std::size_t out,
                            std::size_t in, std::size_t rows) = 0;

  /// Records what `work` would do, and does nothing of it: launches, copies on the device, zeros. `work` needs no new
  /// memory and copies nothing from or to the host. Addresses and sizes stay as they are; what is there may change.
  virtual std::unique_ptr<Recording> record(const std::function<void()>& work) = 0;

  virtual DeviceFacts facts() const = 0;
  /// How launches follow each other from now on, recorded ones too. Gives false where the device cannot; nothing
  /// changes then.
  virtual bool set_overlap(LaunchOverlap overlap) = 0;

  /// Waits for everything before it, and for `work` repeated; gives the seconds of one repetition on the device. `work`
  /// launches and copies on the device only, and needs no new memory (so: not for the first time).
  virtual double time(const std::function<void()>& work, unsigned repeats, Dispatch dispatch) = 0;

  template <class Kernel>
  void launch(std::size_t blocks, const typename Kernel::Args& args) {
    if (blocks > 0) do_launch(AllKernels::index<Kernel>(), blocks, &args);
  }

 protected:
  virtual void do_launch(std::size_t kernel, std::size_t blocks, const void* args) = 0;
};

/// The GPU that was looked for, or why there is none: one line that names what is missing.
struct GpuSearch {
  std::shared_ptr<Device> device;
  std::string reason;
  bool is_broken = false;  ///< there is a GPU that cannot be used as it is: its driver is too old, it fails to answer
};

/// The GPU that the runtime names first, of compute capability 8.0 or above. Only in builds with CUDA. Throws nothing.
GpuSearch search_gpu();

/// Device memory that ends with its owner.
template <class T>
class DeviceArray {
 public:
  DeviceArray() = default;
  DeviceArray(std::shared_ptr<Device> device, std::size_t size)
      : device_(std::move(device)),
        size_(size),
        data_(size == 0 ? nullptr : static_cast<T*>(device_->allocate(size * sizeof(T)))) {}
  DeviceArray(std::shared_ptr<Device> device, std::span<const T> values)
      : DeviceArray(std::move(device), values.size()) {
    if (size_ > 0) device_->copy_in(data_, values.data(), values.size_bytes());
  }
  ~DeviceArray() {
    if (data_ != nullptr) device_->release(data_);
  }
  DeviceArray(DeviceArray&& other) noexcept { swap(other); }
  DeviceArray& operator=(DeviceArray&& other) noexcept {
    swap(other);
    return *this;
  }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  std::size_t bytes() const noexcept { return size_ * sizeof(T); }
  /// At least `size` elements; what was there is lost if it grows.
  void reserve(const std::shared_ptr<Device>& device, std::size_t size) {
    if (size > size_) *this = DeviceArray(device, size);
  }

 private:
  void swap(DeviceArray& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(size_, other.size_);
    std::swap(data_, other.data_);
  }

  std::shared_ptr<Device> device_;
  std::size_t size_ = 0;
  T* data_ = nullptr;
};

}  // namespace kernels::cuda
