// What every check has: the device, the time that is left, a clock, and the report.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "kernels/cuda/cuda_backend.hpp"
#include "kernels/cuda/gpu_check/report.hpp"

namespace kernels::gpu_check {

using cuda::Device;
using cuda::Dispatch;

class Meter {
 public:
  Meter(const Options& options, std::shared_ptr<Device> device) : options_(options), device_(std::move(device)) {}

  bool emulated() const { return options_.emulator; }
  Device& device() const { return *device_; }
  const std::shared_ptr<Device>& shared_device() const { return device_; }
  Report& report() { return report_; }
  void write() const { report_.write(options_, device_->facts()); }

  std::unique_ptr<Backend> backend(const CudaOptions& options = {}) const {
    return make_cuda_backend(device_, "cuda", options);
  }
  /// Whether there is time for `what`; if not, it is reported as skipped.
  bool has_time(const std::string& what) {
    const bool has = std::chrono::steady_clock::now() - begin_ < std::chrono::duration<double>(options_.seconds);
    if (!has) report_.skip(what);
    return has;
  }
  double used_mib() const {
    const cuda::DeviceFacts facts = device_->facts();
    return static_cast<double>(facts.total_bytes - facts.free_bytes) / 0x1p20;
  }
  /// Device seconds of `work`: the median of five, after one that is not counted.
  double seconds(const std::function<void()>& work, Dispatch dispatch = Dispatch::graph) const {
    work();
    std::vector<double> all;
    all.reserve(5);
    const double first = device_->time(work, 1, dispatch);
    const auto repeats = static_cast<unsigned>(std::clamp(0.01 / std::max(first, 1e-6), 1.0, 200.0));
    for (int i = 0; i < (emulated() ? 1 : 5); ++i) all.push_back(device_->time(work, repeats, dispatch));
    std::ranges::sort(all);
    return all[all.size() / 2];
  }
  /// Seconds on the host's clock of one of `repeats`, which wait for the device themselves.
  static double wall_seconds(const std::function<void()>& work, int repeats) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < repeats; ++i) work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() / repeats;
  }

  /// Numbers in -1 .. 1, the same every time.
  static std::vector<float> values(std::size_t count) {
    std::vector<float> values(count);
    std::mt19937 random(3);  // NOLINT
    for (float& value : values) value = static_cast<float>(static_cast<int>(random() % 2001) - 1000) / 1000.0F;
    return values;
  }
  static void fill(Backend& backend, const Rows& rows) { backend.write(rows, values(rows.rows * rows.cols)); }

 private:
  Options options_;
  std::shared_ptr<Device> device_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  Report report_;
};

}  // namespace kernels::gpu_check
