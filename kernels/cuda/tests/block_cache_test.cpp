// Small blocks come back, large ones go, and everything is freed once.
#include "kernels/cuda/block_cache.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

namespace kernels::cuda {
namespace {

TEST(BlockCache, KeepsSmallBlocksBySizeAndFreesAllInTheEnd) {
  std::set<void*> held;
  std::vector<std::size_t> asked;
  {
    BlockCache cache(
        [&](std::size_t bytes) {
          asked.push_back(bytes);
          return *held.insert(std::malloc(bytes)).first;
        },
        [&](void* block) {
          EXPECT_EQ(held.erase(block), 1U);
          std::free(block);
        });
    void* const first = cache.allocate(300);
    void* const tiny = cache.allocate(1);
    EXPECT_NE(first, tiny);
    cache.release(first);
    EXPECT_EQ(cache.allocate(512), first) << "300 and 512 are of one size";
    cache.release(first);
    void* const other = cache.allocate(513);
    EXPECT_NE(other, first) << "too small for that";
    void* const largest = cache.allocate(BlockCache::kLargest);
    void* const large = cache.allocate(BlockCache::kLargest + 1);
    const std::size_t before = held.size();
    cache.release(large);
    EXPECT_EQ(held.size(), before - 1) << "not kept";
    cache.release(tiny);
    cache.release(other);
    cache.release(largest);
    EXPECT_EQ(asked, (std::vector<std::size_t>{512, 256, 1024, BlockCache::kLargest, BlockCache::kLargest + 1}));
  }
  EXPECT_TRUE(held.empty());
}

}  // namespace
}  // namespace kernels::cuda
