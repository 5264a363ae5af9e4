// What waiting threads ask for: the beginning of what came next the last time.
#include "kernels/cpu/read_ahead.hpp"

#include <gtest/gtest.h>

#include <array>

namespace kernels {
namespace {

struct Weights {
  std::array<std::uint8_t, 1 << 16> bytes{};
  std::array<const std::uint8_t*, 2> starts{bytes.data(), bytes.data() + bytes.size() / 2};
};

/// How often a thread finds something to ask for; bounded, as what never ends would keep a thread from its work.
std::size_t pieces(ReadAhead& ahead, std::size_t thread) {
  std::size_t count = 0;
  while (count < 1'000'000 && ahead.fetch(thread)) ++count;
  return count;
}

TEST(ReadAhead, KnowsNothingInTheFirstRound) {
  Weights a, b;
  ReadAhead ahead(2);
  EXPECT_EQ(pieces(ahead, 0), 0U);
  ahead.begin(&a, a.starts, 4096);
  EXPECT_EQ(pieces(ahead, 0), 0U);
  ahead.begin(&b, b.starts, 4096);
  EXPECT_EQ(pieces(ahead, 1), 0U);
}

TEST(ReadAhead, AsksForWhatFollowedBeforeEachThreadItsOwn) {
  Weights a, b;
  ReadAhead ahead(2);
  ahead.begin(&a, a.starts, 8192);
  ahead.begin(&b, b.starts, 32768);
  ahead.begin(&a, a.starts, 8192);  // and then b, it is thought
  const std::size_t of_b = pieces(ahead, 0);
  EXPECT_GT(of_b, 0U);
  EXPECT_EQ(pieces(ahead, 0), 0U);  // once
  EXPECT_EQ(pieces(ahead, 1), of_b);
  ahead.begin(&b, b.starts, 32768);  // and then a, of which there is a quarter
  EXPECT_EQ(pieces(ahead, 0) * 4, of_b);
}

TEST(ReadAhead, LearnsAnotherOrder) {
  Weights a, b, c;
  ReadAhead ahead(2);
  for (int i = 0; i < 2; ++i) {
    ahead.begin(&a, a.starts, 8192);
    ahead.begin(&b, b.starts, 8192);
  }
  ahead.begin(&a, a.starts, 8192);
  ahead.begin(&c, c.starts, 32768);
  ahead.begin(&a, a.starts, 8192);
  const std::size_t of_c = pieces(ahead, 0);
  ahead.begin(&c, c.starts, 32768);
  EXPECT_EQ(pieces(ahead, 0) * 4, of_c);
}

TEST(ReadAhead, NeverAsksForMoreThanACacheHolds) {
  Weights a, b;
  ReadAhead ahead(2);
  for (int i = 0; i < 2; ++i) {
    ahead.begin(&a, a.starts, std::size_t{1} << 40U);
    ahead.begin(&b, b.starts, std::size_t{1} << 40U);
  }
  EXPECT_LE(pieces(ahead, 0), std::size_t{1} << 14U);  // of at least a line each
}

}  // namespace
}  // namespace kernels
