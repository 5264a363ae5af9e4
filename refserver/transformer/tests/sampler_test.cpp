// The order of TGI's processors on an example worked by hand, each filter on its own, draws, and what cannot be chosen
// from.
#include "refserver/transformer/sampler.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>

namespace refserver {
namespace {

using ::testing::ElementsAre;

const std::vector<float> kLogits{2, 1, 0.5F, 0, -0.5F, -1, -2, 3};
const std::vector<TokenId> kContext{7, 0, 0, 4};

/// Ids and log-probabilities of all that can still be chosen, by id.
std::map<TokenId, float> survivors(const Sampling& sampling, std::span<const float> logits = kLogits,
                                   std::span<const TokenId> context = kContext) {
  Sampler sampler(logits.size(), {});
  const auto token =
      sampler.sample(logits, {.sampling = sampling, .context = context, .drafts = {}, .top_n = 1'000'000});
  if (!token) return {};
  return {token->top.begin(), token->top.end()};
}

std::vector<TokenId> ids_of(const std::map<TokenId, float>& tokens) {
  std::vector<TokenId> ids;
  for (const auto& [id, logprob] : tokens) ids.push_back(id);
  return ids;
}

std::vector<TokenId> ids_left(const Sampling& sampling) {
  return ids_of(survivors(sampling));
}

Sampling sampled() {
  Sampling sampling;
  sampling.is_greedy = false;
  sampling.seed = 1;
  return sampling;
}

Sampling with_top_p(float p) {
  Sampling sampling = sampled();
  sampling.top_p = p;
  return sampling;
}

Sampling with_typical_p(float p) {
  Sampling sampling = sampled();
  sampling.typical_p = p;
  return sampling;
}

TEST(Sampler, AppliesEverythingInOrder) {
  Sampling sampling = sampled();
  sampling.repetition_penalty = 1.2F;
  sampling.frequency_penalty = 0.5F;
  sampling.temperature = 0.7F;
  sampling.top_k = 5;
  sampling.top_p = 0.9F;
  const auto left = survivors(sampling);
  ASSERT_THAT(ids_of(left), ElementsAre(0, 1, 7));
  EXPECT_NEAR(left.at(0), -1.701659F, 1e-6);
  EXPECT_NEAR(left.at(1), -2.296897F, 1e-6);
  EXPECT_NEAR(left.at(7), -0.332611F, 1e-6);
}

TEST(Sampler, GivesLogProbabilitiesOfTheRawLogitsWhereNothingIsSet) {
  const std::vector<float> expected{-1.524928F, -2.524928F, -3.024928F, -3.524928F,
                                    -4.024928F, -4.524928F, -5.524928F, -0.524928F};
  const auto left = survivors(sampled());
  ASSERT_EQ(left.size(), expected.size());
  for (TokenId id = 0; id < expected.size(); ++id) EXPECT_NEAR(left.at(id), expected[id], 2e-6) << id;
}

TEST(Sampler, TopPKeepsTheFewestTokensOfThatMass) {
  EXPECT_THAT(ids_left(with_top_p(0.1F)), ElementsAre(7));
  EXPECT_THAT(ids_left(with_top_p(0.5F)), ElementsAre(7));
  EXPECT_THAT(ids_left(with_top_p(0.8F)), ElementsAre(0, 7));
  EXPECT_THAT(ids_left(with_top_p(0.95F)), ElementsAre(0, 1, 2, 3, 7));
}

TEST(Sampler, TypicalPKeepsTheLeastSurprisingSurprises) {
  EXPECT_THAT(ids_left(with_typical_p(0.5F)), ElementsAre(0, 7));
  EXPECT_THAT(ids_left(with_typical_p(0.9F)), ElementsAre(0, 1, 2, 7));
}

TEST(Sampler, TopKKeepsAllThatEqualTheLast) {
  Sampling sampling = sampled();
  sampling.top_k = 2;
  const std::vector<float> logits{1, 3, 2, 2, 2, 0};
  EXPECT_THAT(ids_of(survivors(sampling, logits)), ElementsAre(1, 2, 3, 4));
  sampling.top_k = 100;
  EXPECT_EQ(survivors(sampling, logits).size(), logits.size());
}

TEST(Sampler, PenaltiesCountEveryTokenBeforeOnce) {
  Sampling greedy;
  greedy.repetition_penalty = 2.0F;
  Sampler sampler(3, {});
  const std::vector<float> logits{4, 3, -1};
  const std::vector<TokenId> context{0, 0, 0};
  const auto after_prompt = sampler.sample(logits, {.sampling = greedy, .context = context, .drafts = {}});
  EXPECT_EQ(after_prompt->id, 1U) << "4 / 2 < 3, however often 0 has come";
  const std::vector<TokenId> drafts{1};
  EXPECT_EQ(sampler.sample(logits, {.sampling = greedy, .context = context, .drafts = drafts})->id, 0U)
      << "3 / 2 < 4 / 2";
  const std::vector<TokenId> none;
  EXPECT_EQ(sampler.sample(logits, {.sampling = greedy, .context = none, .drafts = {}})->id, 0U)
      << "counts are not kept";
}

TEST(Sampler, GreedyTakesTheLowestOfEqualTokensByEveryPath) {
  const std::vector<float> logits{1, 5, 5, 2};
  Sampler sampler(4, {});
  const Sampling greedy;
  const auto plain = sampler.sample(logits, {.sampling = greedy, .context = {}, .drafts = {}});
  const auto listed = sampler.sample(logits, {.sampling = greedy, .context = {}, .drafts = {}, .top_n = 1});
  EXPECT_EQ(plain->id, 1U);
  EXPECT_EQ(listed->id, 1U);
  EXPECT_NEAR(plain->logprob, listed->logprob, 1e-6);
  ASSERT_EQ(listed->top.size(), 2U) << "ties with the last wanted come too";
  EXPECT_EQ(listed->top[0].first, 1U);
  EXPECT_EQ(listed->top[1].first, 2U);
}

TEST(Sampler, MasksEndTokensAndUnusedRows) {
  Sampler sampler(3, {2});
  const std::vector<float> logits{1, 2, 3, 99};
  const Sampling greedy;
  EXPECT_EQ(sampler.sample(logits, {.sampling = greedy, .context = {}, .drafts = {}})->id, 2U);
  const auto masked = sampler.sample(
      logits, {.sampling = greedy, .context = {}, .drafts = {}, .top_n = 5, .end_tokens = EndTokens::masked});
  EXPECT_EQ(masked->id, 1U);
  EXPECT_EQ(masked->top.size(), 2U);
}

TEST(Sampler, RefusesWhatIsNoDistribution) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  for (const std::vector<float>& logits :
       {std::vector<float>{1, nan, 2}, {nan, 1, 2}, {1, 2, nan}, {1, inf, 2}, {-inf, -inf, -inf}}) {
    for (const bool is_greedy : {true, false}) {
      Sampling sampling = sampled();
      sampling.is_greedy = is_greedy;
      Sampler sampler(3, {});
      EXPECT_FALSE(sampler.sample(logits, {.sampling = sampling, .context = {}, .drafts = {}}));
    }
  }
}

TEST(Sampler, StaysFiniteAtAnyTemperature) {
  for (const float temperature : {1e-38F, 1e-3F, 1e3F, 3e38F}) {
    Sampling sampling = sampled();
    sampling.temperature = temperature;
    Sampler sampler(kLogits.size(), {});
    const auto token = sampler.sample(kLogits, {.sampling = sampling, .context = {}, .drafts = {}});
    ASSERT_TRUE(token);
    EXPECT_TRUE(std::isfinite(token->logprob));
    if (temperature < 1e-2F) {
      EXPECT_EQ(token->id, 7U);
    }
  }
}

TEST(Sampler, DrawsAsOftenAsTheDistributionSays) {
  Sampler sampler(kLogits.size(), {});
  const auto expected = survivors(sampled());
  constexpr int kDraws = 20'000;
  std::map<TokenId, int> seen;
  for (int i = 0; i < kDraws; ++i) {
    const Sampling sampling = sampled();
    ++seen[sampler
               .sample(kLogits, {.sampling = sampling,
                                 .seed = 5,
                                 .position = static_cast<std::uint64_t>(i),
                                 .context = {},
                                 .drafts = {}})
               ->id];
  }
  for (const auto& [id, logprob] : expected) {
    const double p = std::exp(logprob);
    EXPECT_NEAR(seen[id], kDraws * p, 5 * std::sqrt(kDraws * p * (1 - p))) << id;
  }
}

TEST(Sampler, DependsOnSeedAndPositionAlone) {
  std::mt19937 random(3);  // NOLINT: the same values every time
  std::normal_distribution<float> normal(0, 2);
  std::vector<float> logits(5000);
  std::ranges::generate(logits, [&] { return normal(random); });
  const Sampling sampling = sampled();
  const auto draw = [&](Sampler& sampler, std::uint64_t seed, std::uint64_t position) {
    return sampler
        .sample(logits, {.sampling = sampling, .seed = seed, .position = position, .context = {}, .drafts = {}})
        ->id;
  };
  Sampler one(logits.size(), {}), other(logits.size(), {});
  std::vector<TokenId> forward, backward;
  for (std::uint64_t i = 0; i < 30; ++i) forward.push_back(draw(one, 9, i));
  for (std::uint64_t i = 30; i-- > 0;) backward.insert(backward.begin(), draw(other, 9, i));
  EXPECT_EQ(forward, backward);
  EXPECT_NE(forward, std::vector<TokenId>(30, forward[0]));
  std::vector<TokenId> other_seed;
  for (std::uint64_t i = 0; i < 30; ++i) other_seed.push_back(draw(one, 10, i));
  EXPECT_NE(forward, other_seed);
}

/// Top-p by the obvious way: sort, add up.
std::vector<TokenId> obvious_top_p(const std::vector<float>& logits, double p) {
  std::vector<TokenId> order(logits.size());
  for (TokenId i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, [&](TokenId a, TokenId b) { return logits[a] > logits[b]; });
  double total = 0, sum = 0;
  for (const float logit : logits) total += std::exp(static_cast<double>(logit));
  std::vector<TokenId> kept;
  for (const TokenId id : order) {
    kept.push_back(id);
    sum += std::exp(static_cast<double>(logits[id])) / total;
    if (sum >= p) break;
  }
  std::ranges::sort(kept);
  return kept;
}

TEST(Sampler, FindsPrefixesInLongListsAsSortingDoes) {
  std::mt19937 random(8);  // NOLINT
  for (const float spread : {0.1F, 1.0F, 4.0F}) {
    std::normal_distribution<float> normal(0, spread);
    std::vector<float> logits(3000);
    std::ranges::generate(logits, [&] { return normal(random); });
    for (const float p : {0.01F, 0.3F, 0.77F, 0.99F}) {
      EXPECT_EQ(ids_of(survivors(with_top_p(p), logits)), obvious_top_p(logits, p)) << spread << " " << p;
    }
  }
}

}  // namespace
}  // namespace refserver
