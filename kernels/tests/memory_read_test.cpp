// Reading memory to measure it: everything is read, whatever the number of threads.
#include "kernels/cpu/memory_read.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace kernels {
namespace {

TEST(MemoryRead, ReadsEveryByteOnce) {
  for (const std::size_t threads : {1, 3}) {
    MemoryRead memory(threads, (std::size_t{3} << 20U) + 1);
    EXPECT_EQ(memory.bytes(), std::size_t{4} << 20U);
    EXPECT_EQ(memory.read(), static_cast<float>(memory.bytes() / sizeof(float)));
    EXPECT_GT(memory.measure(2), 0);
  }
}

TEST(MemoryRead, SumsOfAnyLength) {
  std::vector<float> values(200);
  std::iota(values.begin(), values.end(), 1.0F);
  for (const KernelTable* const table : {find_kernels_avx512(), find_kernels_avx2(), find_kernels_portable()}) {
    if (table == nullptr) continue;
    for (const std::size_t count : {0, 1, 15, 16, 63, 64, 65, 130, 200}) {
      EXPECT_EQ(table->sum(values.data(), count), static_cast<float>(count * (count + 1) / 2)) << table->name;
    }
  }
}

}  // namespace
}  // namespace kernels
