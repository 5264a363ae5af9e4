// Launches by the number of a kernel, as the GPU's device does.
#include "kernels/cuda/tests/emulated_device.hpp"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>
#include <stdexcept>
#include <vector>

#include "kernels/cuda/device.hpp"
#include "kernels/cuda/tests/emulator.hpp"

namespace kernels::cuda {
namespace {

class EmulatedDevice final : public Device {
 public:
  explicit EmulatedDevice(const EmulatedGpu& gpu)
      : processors_(gpu.processors), shared_bytes_(gpu.shared_bytes), library_(gpu.has_library), emulator_(gpu.seed) {}

  unsigned processors() const noexcept override { return processors_; }
  std::size_t shared_bytes() const noexcept override { return shared_bytes_; }
  void* allocate(std::size_t bytes) override {
    if (steps_ != nullptr) throw std::logic_error("memory is asked for while work is recorded");
    const std::size_t rounded = (bytes + 255) / 256 * 256;  // cudaMalloc's alignment
    void* const memory = std::aligned_alloc(256, rounded);
    if (memory == nullptr) throw std::bad_alloc();
    std::memset(memory, 0xFF, rounded);
    return memory;
  }
  void release(void* memory) noexcept override { std::free(memory); }
  void zero(void* memory, std::size_t bytes) override {
    run_or_record([=] { std::memset(memory, 0, bytes); });
  }
  void copy_in(void* to, const void* from, std::size_t bytes) override { copy_now(to, from, bytes); }
  void copy(void* to, const void* from, std::size_t bytes) override {
    run_or_record([=] { std::memcpy(to, from, bytes); });
  }
  void copy_out(void* to, const void* from, std::size_t bytes) override { copy_now(to, from, bytes); }
  bool library_product(const std::uint16_t* w, const std::uint16_t* x, float* y, std::size_t out, std::size_t in,
                       std::size_t rows, std::size_t y_stride) override;
  bool library_bf16(const std::uint16_t* w, const std::uint16_t* x, std::uint16_t* y, std::size_t out, std::size_t in,
                    std::size_t rows) override;
  std::unique_ptr<Recording> record(const std::function<void()>& work) override;
  bool set_overlap(LaunchOverlap overlap) override { return overlap == LaunchOverlap::none; }
  DeviceFacts facts() const override { return {.name = "emulator", .capability = "8.0"}; }
  double time(const std::function<void()>& work, unsigned repeats, Dispatch) override {
    const auto begin = std::chrono::steady_clock::now();
    for (unsigned i = 0; i < repeats; ++i) work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() / repeats;
  }

 protected:
  void do_launch(std::size_t kernel, std::size_t blocks, const void* args) override {
    launch_in(AllKernels{}, kernel, blocks, args);
  }

 private:
  template <class... Kernels>
  void launch_in(KernelList<Kernels...>, std::size_t kernel, std::size_t blocks, const void* args) {
    ((AllKernels::index<Kernels>() == kernel ? launch_one<Kernels>(blocks, args) : void()), ...);
  }
  template <class Kernel>
  void launch_one(std::size_t blocks, const void* args) {
    run_or_record([this, blocks, values = *static_cast<const typename Kernel::Args*>(args)] {
      emulator_.run({static_cast<unsigned>(blocks), Kernel::kThreads, Kernel::kSharedBytes},
                    [&values] { Kernel::run(values); });
    });
  }
  void run_or_record(std::function<void()> step) { steps_ == nullptr ? step() : steps_->push_back(std::move(step)); }
  void copy_now(void* to, const void* from, std::size_t bytes) {
    if (steps_ != nullptr) throw std::logic_error("a copy from or to the host while work is recorded");
    std::memcpy(to, from, bytes);
  }

  unsigned processors_;
  std::size_t shared_bytes_;
  bool library_;
  simt::Emulator emulator_;
  std::vector<std::function<void()>>* steps_ = nullptr;  ///< of the recording under way
};

class EmulatedRecording final : public Recording {
 public:
  explicit EmulatedRecording(std::vector<std::function<void()>> steps) : steps_(std::move(steps)) {}
  void replay() override {
    for (const auto& step : steps_) step();
  }

 private:
  std::vector<std::function<void()>> steps_;
};

std::unique_ptr<Recording> EmulatedDevice::record(const std::function<void()>& work) {
  std::vector<std::function<void()>> steps;
  steps_ = &steps;
  try {
    work();
  } catch (...) {
    steps_ = nullptr;
    throw;
  }
  steps_ = nullptr;
  return std::make_unique<EmulatedRecording>(std::move(steps));
}

bool EmulatedDevice::library_product(const std::uint16_t* w, const std::uint16_t* x, float* y, std::size_t out,
                                     std::size_t in, std::size_t rows, std::size_t y_stride) {
  if (!library_) return false;
  if (steps_ != nullptr) throw std::logic_error("the emulated library is not recorded");
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t n = 0; n < out; ++n) {
      double sum = 0;
      for (std::size_t k = 0; k < in; ++k)
        sum += static_cast<double>(to_float(x[r * in + k])) * to_float(w[n * in + k]);
      y[r * y_stride + n] = static_cast<float>(sum);
    }
  }
  return true;
}

}  // namespace

bool EmulatedDevice::library_bf16(const std::uint16_t* w, const std::uint16_t* x, std::uint16_t* y, std::size_t out,
                                  std::size_t in, std::size_t rows) {
  if (!library_) return false;
  const auto wide = [](std::uint16_t bits) { return double{simt::float_of(std::uint32_t{bits} << 16U)}; };
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t n = 0; n < out; ++n) {
      double sum = 0;
      for (std::size_t k = 0; k < in; ++k) sum += wide(x[r * in + k]) * wide(w[n * in + k]);
      y[r * out + n] = simt::float_to_bf16(static_cast<float>(sum));
    }
  }
  return true;
}

std::shared_ptr<Device> make_emulated_device(const EmulatedGpu& gpu) {
  return std::make_shared<EmulatedDevice>(gpu);
}

}  // namespace kernels::cuda
