// Chunks are large: claiming them is no part of what is measured.
#include "kernels/cpu/memory_read.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

#include "kernels/cpu/weight_arena.hpp"

namespace kernels {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 20U;

}  // namespace

MemoryRead::MemoryRead(std::size_t threads, std::size_t bytes)
    : kernels_(&fastest_kernels()),
      pool_(threads),
      bytes_(std::max<std::size_t>((bytes + kChunk - 1) / kChunk, 1) * kChunk) {
  WeightArena arena;
  memory_ = arena.allocate(bytes_);
  auto* const floats = reinterpret_cast<float*>(memory_.get());
  std::fill_n(floats, bytes_ / sizeof(float), 1.0F);  // a page that was never written is no memory yet
}

float MemoryRead::read() {
  const auto* const floats = reinterpret_cast<const float*>(memory_.get());
  std::vector<float> sums(bytes_ / kChunk);
  constexpr std::size_t kFloats = kChunk / sizeof(float);
  pool_.run(sums.size(), [&](std::size_t i) { sums[i] = kernels_->sum(floats + i * kFloats, kFloats); });
  float total = 0;
  for (const float sum : sums) total += sum;
  return total;
}

double MemoryRead::measure(std::size_t rounds) {
  using Clock = std::chrono::steady_clock;
  double best = 0;
  for (std::size_t i = 0; i < std::max<std::size_t>(rounds, 1); ++i) {
    const auto start = Clock::now();
    volatile const float sum = read();
    static_cast<void>(sum);
    best = std::max(best, static_cast<double>(bytes_) / std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

}  // namespace kernels
