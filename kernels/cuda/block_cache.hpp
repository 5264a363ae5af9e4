// Keeps small blocks of device memory instead of giving them back: freeing waits for the whole device, and every step
// makes and drops a few. Right only where all work is in one order, so that whoever gets a block comes after whoever
// had it. Knows nothing of CUDA.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <functional>
#include <unordered_map>
#include <vector>

namespace kernels::cuda {

class BlockCache {
 public:
  static constexpr std::size_t kLargest = std::size_t{1} << 20U;  ///< bytes; larger blocks are not kept

  /// `allocate` may throw; `free` must not.
  BlockCache(std::function<void*(std::size_t)> allocate, std::function<void(void*)> free)
      : allocate_(std::move(allocate)), free_(std::move(free)) {}
  /// All blocks have been released.
  ~BlockCache() {
    for (const auto& kept : kept_) {
      for (void* const block : kept) free_(block);
    }
  }
  BlockCache(const BlockCache&) = delete;
  BlockCache& operator=(const BlockCache&) = delete;

  void* allocate(std::size_t bytes) {
    if (bytes > kLargest) return allocate_(bytes);
    const std::size_t bits = class_of(bytes);
    void* block = nullptr;
    if (kept_[bits].empty()) {
      block = allocate_(std::size_t{1} << bits);
    } else {
      block = kept_[bits].back();
      kept_[bits].pop_back();
    }
    classes_.emplace(block, bits);
    return block;
  }
  void release(void* block) {
    const auto found = classes_.find(block);
    if (found == classes_.end()) return free_(block);
    kept_[found->second].push_back(block);
    classes_.erase(found);
  }

 private:
  /// Powers of two from 256 bytes on: log2 of the size.
  static std::size_t class_of(std::size_t bytes) {
    return static_cast<std::size_t>(std::bit_width((bytes < 256 ? 256 : bytes) - 1));
  }

  std::function<void*(std::size_t)> allocate_;
  std::function<void(void*)> free_;
  std::array<std::vector<void*>, 21> kept_;
  std::unordered_map<void*, std::size_t> classes_;  ///< of small blocks in use
};

}  // namespace kernels::cuda
