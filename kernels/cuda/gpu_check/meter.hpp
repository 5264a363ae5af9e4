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

/// What reading so many bytes takes at least on the cards that these kernels are for, by their data sheets.
inline std::string rooflines(double bytes, double per_second, const char* unit) {
  return fmt::format("at best {:.3g} {} on a 4070 Super, {:.3g} {} on a 4090", bytes / 504e9 * per_second, unit,
                     bytes / 1008e9 * per_second, unit);
}

class Meter {
 public:
  Meter(const Options& options, std::shared_ptr<Device> device)
      : options_(options), device_(std::move(device)), report_(options, device_->facts()) {}

  bool emulated() const { return options_.emulator; }
  Device& device() const { return *device_; }
  const std::shared_ptr<Device>& shared_device() const { return device_; }
  Report& report() { return report_; }

  /// Does one part where it is asked for. What it throws is reported, and the rest goes on unless the device is gone.
  void part(const std::string& name, const std::string& what, const std::function<void()>& work) {
    if (is_gone_ || (!options_.parts.empty() && std::ranges::find(options_.parts, name) == options_.parts.end())) {
      return;
    }
    try {
      work();
    } catch (const std::exception& error) {
      report_.fail(what, error.what());
    }
    device_->set_overlap(cuda::LaunchOverlap::none);
    try {
      (void)device_->facts();
    } catch (const std::exception& error) {
      is_gone_ = true;
      report_.fail("the device answers no more; everything after " + what + " is left out", error.what());
    }
  }
  /// The same work as it is and, where the device can, with launches that overlap. What goes wrong with those alone is
  /// reported and ends them, not the rest.
  void both_ways(const std::function<void(const char* suffix)>& work) {
    work("");
    if (!overlaps_ || !device_->set_overlap(cuda::LaunchOverlap::prologues)) return;
    try {
      work(", overlapped");
    } catch (const std::exception& error) {
      overlaps_ = false;
      report_.fail("overlapped launches, left out from here on", error.what());
    }
    device_->set_overlap(cuda::LaunchOverlap::none);
  }

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
  bool is_gone_ = false;
  bool overlaps_ = true;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  Report report_;
};

}  // namespace kernels::gpu_check
