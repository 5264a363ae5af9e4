// The pool by hand: what is given away first, what a look-up finds, what a fork shares.
#include "refserver/schedule/block_pool.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>

namespace refserver {
namespace {

/// A sequence as the pool sees one.
struct Held {
  std::vector<TokenId> tokens;
  std::vector<BlockId> table;
  PrefixChain chain;
  std::uint32_t published = 0;
};

std::vector<TokenId> range(std::size_t count, TokenId first = 0) {
  std::vector<TokenId> tokens(count);
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

/// Computes all of `tokens` in fresh blocks and publishes the full ones.
Held computed(BlockPool& pool, std::vector<TokenId> tokens, const std::string& salt = "") {
  Held held{std::move(tokens), {}, {salt, 0, {}}};
  const auto count = static_cast<std::uint32_t>(held.tokens.size());
  EXPECT_TRUE(pool.try_allocate(pool.blocks_for(count), held.table));
  for (std::uint32_t i = 0; i < held.table.size(); ++i) {
    pool.set_written(held.table[i], std::min(pool.block_size(), count - i * pool.block_size()));
  }
  held.published = pool.publish(held.table, held.tokens, 0, count, held.chain);
  return held;
}

PrefixHit look_up(const BlockPool& pool, const std::vector<TokenId>& tokens, const std::string& salt = "") {
  PrefixChain chain{salt, 0, {}};
  return pool.find_prefix(tokens, static_cast<std::uint32_t>(tokens.size()), chain);
}

TEST(BlockPool, RefusesSizesThatCannotWork) {
  EXPECT_THROW(BlockPool({"m", 1, 16}), std::invalid_argument);
  EXPECT_THROW(BlockPool({"m", 8, 0}), std::invalid_argument);
}

TEST(BlockPool, NeverGivesOutThePaddingBlock) {
  BlockPool pool({"m", 4, 16});
  std::vector<BlockId> table;
  ASSERT_TRUE(pool.try_allocate(3, table));
  EXPECT_EQ(table, (std::vector<BlockId>{1, 2, 3}));
  EXPECT_EQ(pool.free_blocks(), 0U);
}

TEST(BlockPool, AllocatesAllOrNothing) {
  BlockPool pool({"m", 4, 16});
  std::vector<BlockId> table;
  ASSERT_TRUE(pool.try_allocate(2, table));
  EXPECT_FALSE(pool.try_allocate(2, table));
  EXPECT_EQ(table.size(), 2U);
  EXPECT_EQ(pool.free_blocks(), 1U);
}

TEST(BlockPool, GivesTheTailAwayFirst) {
  BlockPool pool({"m", 4, 2});
  Held held = computed(pool, range(6));
  pool.release(held.table);
  EXPECT_EQ(pool.free_order(), (std::vector<BlockId>{3, 2, 1}));
  EXPECT_EQ(pool.cached_blocks(), 3U);
  std::vector<BlockId> other;
  ASSERT_TRUE(pool.try_allocate(1, other));
  EXPECT_EQ(look_up(pool, range(6)).tokens, 4U);
  EXPECT_EQ(pool.evictions(), 1U);
}

TEST(BlockPool, FindsWholeBlocksOfEqualContextOnly) {
  BlockPool pool({"m", 16, 4});
  const Held held = computed(pool, range(10));
  EXPECT_EQ(look_up(pool, range(10)).blocks, (std::vector<BlockId>{held.table[0], held.table[1]}));
  EXPECT_EQ(look_up(pool, range(7)).tokens, 4U);
  EXPECT_EQ(look_up(pool, range(10, 1)).tokens, 0U);
  // The second block's tokens without the first one's are another context.
  EXPECT_EQ(look_up(pool, range(4, 4)).tokens, 0U);
  EXPECT_EQ(look_up(pool, range(10), "salt").tokens, 0U);
  const auto tokens = range(10);
  PrefixChain chain;
  EXPECT_EQ(pool.find_prefix(tokens, 7, chain).tokens, 4U);
}

TEST(BlockPool, CountsHitsThatComeOutOfTheFreeBlocks) {
  BlockPool pool({"m", 8, 4});
  Held held = computed(pool, range(8));
  EXPECT_EQ(look_up(pool, range(8)).unreferenced, 0U);
  pool.release(held.table);
  const PrefixHit hit = look_up(pool, range(8));
  EXPECT_EQ(hit.unreferenced, 2U);
  std::vector<BlockId> table;
  pool.take(hit, table);
  EXPECT_EQ(pool.free_blocks(), 5U);
  EXPECT_EQ(pool.written_slots(), 8U);
}

TEST(BlockPool, TwinsKeepTheirChildrenReachable) {
  BlockPool pool({"m", 6, 2});
  Held first = computed(pool, {1, 2});
  const Held second = computed(pool, {1, 2, 3, 4});  // side by side: the same first block twice
  pool.release(first.table);
  std::vector<BlockId> rest;
  ASSERT_TRUE(pool.try_allocate(pool.free_blocks(), rest));  // evicts the first sequence's block
  EXPECT_EQ(look_up(pool, {1, 2, 3, 4}).blocks, second.table);
}

TEST(BlockPool, UsedTwinsAreFoundBeforeFreeOnes) {
  BlockPool pool({"m", 6, 2});
  Held first = computed(pool, {1, 2});
  Held second = computed(pool, {1, 2});
  pool.release(second.table);
  EXPECT_EQ(look_up(pool, {1, 2}).blocks, first.table);
  EXPECT_EQ(look_up(pool, {1, 2}).unreferenced, 0U);
  pool.release(first.table);
  EXPECT_EQ(look_up(pool, {1, 2}).unreferenced, 1U);
}

TEST(BlockPool, CollidingNamesMissInsteadOfMixing) {
  BlockPool pool({"m", 64, 2, 0});  // every content has the same name
  const Held first = computed(pool, {1, 2});
  const Held second = computed(pool, {7, 8, 9, 10});
  EXPECT_EQ(look_up(pool, {1, 2}).blocks, first.table);
  EXPECT_EQ(look_up(pool, {7, 8, 9, 10}).tokens, 0U);
  EXPECT_EQ(pool.collisions(), 1U);  // the block after it has no chance and is not tried
  EXPECT_FALSE(pool.describe(second.table[1]).is_published);
  EXPECT_EQ(look_up(pool, {1, 2}, "salt").tokens, 0U);
}

TEST(BlockPool, ResetForgetsEverythingOnce) {
  BlockPool pool({"m", 8, 2});
  Held held = computed(pool, range(6));
  pool.release(held.table);
  pool.reset();
  EXPECT_EQ(pool.cached_contents(), 0U);
  EXPECT_EQ(pool.cached_blocks(), 0U);
  EXPECT_EQ(pool.free_blocks(), 7U);
  // A chain from before the reset is worked out anew.
  EXPECT_EQ(pool.find_prefix(held.tokens, 6, held.chain).tokens, 0U);
  Held again = computed(pool, range(6));
  EXPECT_EQ(pool.find_prefix(held.tokens, 6, held.chain).blocks, again.table);
}

TEST(BlockPool, ForksShareFullBlocksAndCopyTheTail) {
  BlockPool pool({"m", 8, 4});
  const Held held = computed(pool, range(10));
  const auto fork = pool.try_fork(held.table, 10);
  ASSERT_TRUE(fork);
  EXPECT_EQ(fork->table, (std::vector<BlockId>{held.table[0], held.table[1], 4}));
  EXPECT_EQ(fork->copy_from, held.table[2]);
  EXPECT_EQ(fork->copy_to, 4U);
  EXPECT_EQ(fork->copy_slots, 2U);
  EXPECT_EQ(pool.describe(held.table[0]).references, 2U);
  EXPECT_EQ(pool.describe(held.table[2]).references, 1U);
  EXPECT_EQ(pool.written_slots(), 12U);
  const auto even = pool.try_fork(held.table, 8);
  ASSERT_TRUE(even);
  EXPECT_EQ(even->copy_slots, 0U);
  EXPECT_EQ(even->table.size(), 2U);
}

TEST(BlockPool, ForksTakeNothingWhereTheCopyFindsNoBlock) {
  BlockPool pool({"m", 4, 4});
  const Held held = computed(pool, range(10));
  EXPECT_FALSE(pool.try_fork(held.table, 10));
  EXPECT_EQ(pool.describe(held.table[0]).references, 1U);
}

}  // namespace
}  // namespace refserver
