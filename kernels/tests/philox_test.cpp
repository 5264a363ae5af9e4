// The known answers that the authors publish with Random123 (kat_vectors, philox4x32 10), and what a draw promises.
#include "kernels/philox.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace kernels {
namespace {

struct Known {
  PhiloxCounter counter;
  PhiloxKey key;
  PhiloxCounter expected;
};

TEST(Philox, KnownAnswers) {
  const std::vector<Known> known{{{{0, 0, 0, 0}}, {{0, 0}}, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}},
                                 {{{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}},
                                  {{0xffffffff, 0xffffffff}},
                                  {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}},
                                 {{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}},
                                  {{0xa4093822, 0x299f31d0}},
                                  {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}}};
  for (const Known& one : known) {
    const PhiloxCounter words = philox(one.counter, one.key);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(words.word[i], one.expected.word[i]) << i;
  }
}

TEST(Philox, DrawsAreUniformAndDifferInEveryArgument) {
  double sum = 0;
  double squares = 0;
  constexpr int kDraws = 20000;
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    const double draw = uniform_draw(7, i, 0);
    ASSERT_GE(draw, 0);
    ASSERT_LT(draw, 1);
    sum += draw;
    squares += draw * draw;
  }
  EXPECT_NEAR(sum / kDraws, 1.0 / 2, 0.01);  // five standard deviations
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, 0.011);
  const double draw = uniform_draw(1, 2, 3);
  EXPECT_EQ(draw, uniform_draw(1, 2, 3));
  for (const double other :
       {uniform_draw(2, 2, 3), uniform_draw(1, 3, 3), uniform_draw(1, 2, 4),
        uniform_draw(1 + (std::uint64_t{1} << 32U), 2, 3), uniform_draw(1, 2 + (std::uint64_t{1} << 32U), 3)}) {
    EXPECT_NE(draw, other);
  }
  static_assert(uniform_draw(1, 2, 3) < 1);
}

}  // namespace
}  // namespace kernels
