// The emulator itself: what it computes, and that it finds the mistakes it is there for.
#include "kernels/cuda/tests/emulator.hpp"

#include <gtest/gtest.h>

#include <random>

#include "kernels/cuda/fragments.hpp"

namespace kernels::simt {
namespace {

TEST(Emulator, TensorCoreProductIsTheMatrixProduct) {
  std::mt19937 random(1);  // NOLINT
  float a[16][16], b[16][8], expected[16][8] = {}, actual[16][8];
  for (auto& row : a) {
    for (float& x : row) x = static_cast<float>(random() % 9) - 4;
  }
  for (auto& row : b) {
    for (float& x : row) x = static_cast<float>(random() % 9) - 4;
  }
  for (unsigned m = 0; m < 16; ++m) {
    for (unsigned n = 0; n < 8; ++n) {
      expected[m][n] = 100;
      for (unsigned k = 0; k < 16; ++k) expected[m][n] += a[m][k] * b[k][n];
    }
  }
  Emulator().run({}, [&] {
    const unsigned lane = thread_index();
    const auto pack = [](float low, float high) { return std::uint32_t{to_half(high)} << 16U | to_half(low); };
    std::uint32_t left[4], right[2];
    for (unsigned r = 0; r < 4; ++r) {
      const auto low = cuda::a_place(lane, r, 0);
      left[r] = pack(a[low.row][low.col], a[low.row][low.col + 1]);
    }
    for (unsigned r = 0; r < 2; ++r) {
      const auto low = cuda::b_place(lane, r, 0);
      right[r] = pack(b[low.row][low.col], b[low.row + 1][low.col]);
    }
    float d[4] = {100, 100, 100, 100};
    mma(d, left, right[0], right[1]);
    for (unsigned i = 0; i < 4; ++i) actual[cuda::c_place(lane, i).row][cuda::c_place(lane, i).col] = d[i];
  });
  for (unsigned m = 0; m < 16; ++m) {
    for (unsigned n = 0; n < 8; ++n) EXPECT_EQ(actual[m][n], expected[m][n]) << m << " " << n;
  }
}

TEST(Emulator, LdmatrixGivesTheFragmentsOfB) {
  // 8 tokens x 32 inputs in shared memory give b0, b1 of two products.
  Emulator().run({1, 32, 8 * 64}, [&] {
    auto* const x = reinterpret_cast<std::uint16_t*>(shared_memory());
    const unsigned lane = thread_index();
    for (unsigned i = lane; i < 8 * 32; i += 32) x[i] = static_cast<std::uint16_t>(i);
    sync_threads();
    std::uint32_t b[4];
    ldmatrix(b, x + lane % 8 * 32 + lane / 8 * 8);
    for (unsigned r = 0; r < 4; ++r) {
      for (unsigned h = 0; h < 2; ++h) {
        const auto at = cuda::b_place(lane, r % 2, h);
        EXPECT_EQ(b[r] >> 16 * h & 0xFFFFU, at.col * 32 + r / 2 * 16 + at.row);
      }
    }
  });
}

TEST(Emulator, SumsOverAWarpAndBarriersOverABlock) {
  std::vector<float> sums(4 * 96);
  Emulator(7).run({4, 96, 96 * 4}, [&] {
    auto* const shared = reinterpret_cast<float*>(shared_memory());
    shared[95 - thread_index()] = static_cast<float>(thread_index());
    sync_threads();
    sums[block_index() * 96 + thread_index()] = warp_sum(shared[thread_index()]);
  });
  for (unsigned block = 0; block < 4; ++block) {
    for (unsigned thread = 0; thread < 96; ++thread) {
      const float first = static_cast<float>(95 - thread / 32 * 32);
      EXPECT_EQ(sums[block * 96 + thread], 32 * first - 496) << thread;
    }
  }
}

TEST(Emulator, CopiesArriveWhenTheyAreWaitedForAndNotBefore) {
  alignas(16) const float from[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  Emulator().run({1, 32, 32}, [&] {
    auto* const shared = reinterpret_cast<float*>(shared_memory());
    if (thread_index() == 0) {
      copy_async(shared, from);
      commit_copies();
      copy_async(shared + 4, from + 4);
      commit_copies();
      EXPECT_TRUE(std::isnan(shared[0]));
      wait_copies<1>();
      EXPECT_EQ(shared[0], 1);
      EXPECT_TRUE(std::isnan(shared[4]));
      wait_copies<0>();
      EXPECT_EQ(shared[7], 8);
    }
  });
}

TEST(EmulatorDeathTest, FindsBarriersAndCollectivesThatDoNotMeet) {
  EXPECT_DEATH(Emulator().run({1, 64, 0},
                              [] {
                                if (thread_index() < 32) sync_threads();
                              }),
               "emulator: a thread returned|will not come");
  EXPECT_DEATH(Emulator().run({},
                              [] {
                                if (thread_index() % 2 == 0) (void)warp_sum(1);
                              }),
               "will not come");
  EXPECT_DEATH(Emulator().run({},
                              [] {
                                if (thread_index() % 2 == 0)
                                  sync_warp();
                                else
                                  (void)warp_sum(1);
                              }),
               "different collectives");
  EXPECT_DEATH(Emulator().run({1, 32, 16}, [] { copy_async(shared_memory() + 16, nullptr); }), "unaligned|beyond");
}

}  // namespace
}  // namespace kernels::simt
