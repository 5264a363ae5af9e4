// Attention over random block tables, decode rows and prompt chunks in one call, against the reference; and the same
// bits however the work is cut.
#include <gtest/gtest.h>

#include <numeric>

#include "kernels/rope.hpp"
#include "kernels/tests/backends.hpp"

namespace kernels {
namespace {

struct Case {
  std::size_t heads;
  std::size_t kv_heads;
  std::size_t dim;
  std::size_t block_tokens;
  KvType type;
};

/// One sequence: keys and values of all its tokens, of which the last `chunk` are the rows of the step under test.
struct Story {
  std::size_t tokens;
  std::size_t chunk;
};

/// Runs stories on a backend and keeps what a step gives.
class Bench {
 public:
  Bench(Backend& backend, const Case& c, const std::vector<Story>& stories, unsigned seed)
      : backend_(backend),
        case_(c),
        stories_(stories),
        random_(seed),
        shape_{.layers = 2,
               .blocks = 0,
               .block_tokens = c.block_tokens,
               .kv_heads = c.kv_heads,
               .head_dim = c.dim,
               .type = c.type} {
    for (const Story& story : stories) {
      tables_.emplace_back((story.tokens - 1) / c.block_tokens + 1);
      shape_.blocks += tables_.back().size();
      width_ = (c.heads + 2 * c.kv_heads) * c.dim;
      qkv_.push_back(random_values(story.tokens * width_, random_));
    }
    shape_.blocks += 3;
    std::vector<std::int32_t> free(shape_.blocks);
    std::iota(free.begin(), free.end(), 0);
    std::ranges::shuffle(free, random_);
    for (auto& table : tables_) {
      for (auto& block : table) {
        block = free.back();
        free.pop_back();
      }
    }
    cache_ = backend.make_kv_cache(shape_);
  }

  /// One step of these sequences from `begin` tokens on: the attention output, [rows][heads * dim].
  std::vector<float> step(const std::vector<std::size_t>& which, const std::vector<std::size_t>& begin,
                          const std::vector<std::size_t>& end, std::size_t layer = 1) {
    std::vector<SequenceRows> rows;
    std::vector<float> values;
    for (const std::size_t s : which) {
      rows.push_back({.rows = end[s] - begin[s], .first_position = begin[s], .blocks = tables_[s]});
      values.insert(values.end(), qkv_[s].begin() + static_cast<std::ptrdiff_t>(begin[s] * width_),
                    qkv_[s].begin() + static_cast<std::ptrdiff_t>(end[s] * width_));
    }
    const std::size_t count = values.size() / width_;
    const std::size_t q = case_.heads * case_.dim;
    const std::size_t kv = case_.kv_heads * case_.dim;
    Filled qkv(backend_, values, count);
    Filled y(backend_, std::vector<float>(count * q), count);
    const auto plan = backend_.plan(rows, rope_frequencies({.head_dim = case_.dim}), shape_);
    backend_.rope_and_store(*plan, *cache_, layer, qkv.rows.columns(0, q), qkv.rows.columns(q, kv),
                            qkv.rows.columns(q + kv, kv));
    backend_.attention(*plan, *cache_, layer, qkv.rows.columns(0, q), y.rows);
    return values_of(backend_, y.rows);
  }

  /// Everything before the chunks, then all chunks together.
  std::vector<float> tell() {
    const std::vector<std::size_t> start(stories_.size(), 0);
    std::vector<std::size_t> middle, end, early, all;
    for (std::size_t s = 0; s < stories_.size(); ++s) {
      middle.push_back(stories_[s].tokens - stories_[s].chunk);
      end.push_back(stories_[s].tokens);
      all.push_back(s);
      if (middle.back() > 0) early.push_back(s);
    }
    if (!early.empty()) step(early, start, middle);
    return step(all, middle, end);
  }
  KvCache& cache() { return *cache_; }
  std::vector<std::vector<std::int32_t>>& tables() { return tables_; }

 private:
  Backend& backend_;
  Case case_;
  std::vector<Story> stories_;
  std::mt19937 random_;
  KvShape shape_;
  std::size_t width_ = 0;
  std::vector<std::vector<std::int32_t>> tables_;
  std::vector<std::vector<float>> qkv_;
  std::unique_ptr<KvCache> cache_;
};

class AttentionTest : public EveryBackend {};

const std::vector<Story> kMixed{{1, 1}, {37, 1}, {16, 16}, {29, 12}, {17, 2}};

TEST_P(AttentionTest, AgreesWithTheReferenceOverRandomBlockTables) {
  const auto reference = make_reference_backend();
  const std::vector<Case> cases{{14, 2, 64, 16, KvType::f32},  {28, 4, 128, 16, KvType::bf16},
                                {32, 8, 128, 32, KvType::f32}, {4, 4, 6, 16, KvType::f32},
                                {9, 1, 24, 5, KvType::bf16},   {2, 1, 2, 1, KvType::f32},
                                {6, 3, 40, 24, KvType::f32}};
  unsigned seed = 1;
  for (const Case& c : cases) {
    const auto expected = Bench(*reference, c, kMixed, seed).tell();
    const auto actual = Bench(*backend_, c, kMixed, seed++).tell();
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      // bfloat16: a key that rounds the other way after a last-bit difference of the rotation.
      ASSERT_NEAR(actual[i], expected[i], c.type == KvType::f32 ? 4e-6F : 2e-2F) << "dim " << c.dim << " at " << i;
    }
  }
}

TEST_P(AttentionTest, SameBitsHoweverAPromptIsCut) {
  const Case c{14, 2, 64, 16, KvType::f32};
  const std::size_t tokens = 45;
  Bench whole(*backend_, c, {{tokens, tokens}}, 5);
  const auto at_once = whole.tell();
  Bench pieces(*backend_, c, {{tokens, tokens}}, 5);
  std::vector<float> in_pieces;
  std::size_t begin = 0;
  for (const std::size_t end : {std::size_t{1}, std::size_t{7}, std::size_t{24}, std::size_t{25}, tokens}) {
    const auto part = pieces.step({0}, {begin}, {end});
    in_pieces.insert(in_pieces.end(), part.begin(), part.end());
    begin = end;
  }
  EXPECT_EQ(in_pieces, at_once);
}

TEST_P(AttentionTest, SameBitsAloneAndInABatch) {
  const Case c{6, 2, 32, 16, KvType::bf16};
  const auto together = Bench(*backend_, c, kMixed, 9).tell();
  Bench apart(*backend_, c, kMixed, 9);
  std::vector<float> one_by_one;
  for (std::size_t s = 0; s < kMixed.size(); ++s) {
    std::vector<std::size_t> begin(kMixed.size(), 0), end(kMixed.size(), 0);
    end[s] = kMixed[s].tokens - kMixed[s].chunk;
    if (end[s] > 0) apart.step({s}, begin, end);
    begin[s] = end[s];
    end[s] = kMixed[s].tokens;
    const auto part = apart.step({s}, begin, end);
    one_by_one.insert(one_by_one.end(), part.begin(), part.end());
  }
  EXPECT_EQ(one_by_one, together);
}

TEST_P(AttentionTest, CopiedBlocksReadTheSameAndPartAfterwards) {
  const Case c{2, 1, 16, 16, KvType::f32};
  Bench bench(*backend_, c, {{20, 1}, {20, 1}}, 3);
  const auto first = bench.step({0}, {0, 0}, {20, 0});
  // The second sequence takes over the first one's table, its last block as a copy.
  const std::int32_t own = bench.tables()[1][1];
  backend_->copy_blocks(bench.cache(), std::vector<BlockCopy>{{bench.tables()[0][1], own}});
  bench.tables()[1] = {bench.tables()[0][0], own};
  const auto before = bench.step({0}, {19, 0}, {20, 0});
  const auto other = bench.step({1}, {0, 19}, {0, 20});
  EXPECT_NE(other, before) << "another last token";
  EXPECT_EQ(bench.step({0}, {19, 0}, {20, 0}), before) << "writing the copy must not touch the original";
  EXPECT_TRUE(std::equal(before.begin(), before.end(), first.end() - static_cast<std::ptrdiff_t>(before.size())));
}

INSTANTIATE_TEST_SUITE_P(All, AttentionTest, ::testing::ValuesIn(all_candidates()), candidate_name);

}  // namespace
}  // namespace kernels
