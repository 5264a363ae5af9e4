// The arithmetic of choices against the definition, and every backend's choice against the host's: the same token, the
// same mass, for any settings and seeds.
#include "kernels/sampling.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>

#include "kernels/tests/backends.hpp"
#include "kernels/token_sampler.hpp"

namespace kernels {
namespace {

TEST(Mass, IsTheExponentialAndNeverGrows) {
  EXPECT_EQ(sampling::mass_of(0), std::uint64_t{1} << kMassBits);
  EXPECT_EQ(sampling::mass_of(29), 0U);
  EXPECT_EQ(sampling::mass_of(INFINITY), 0U);
  std::uint64_t last = sampling::mass_of(0);
  // Every 61st float from 2^-26 to 30.
  for (std::uint32_t bits = 101U << 23U; bits < std::bit_cast<std::uint32_t>(30.0F); bits += 61) {
    const auto surprise = std::bit_cast<float>(bits);
    const std::uint64_t mass = sampling::mass_of(surprise);
    const double exact = std::ldexp(std::exp(-static_cast<double>(surprise)), kMassBits);
    ASSERT_NEAR(static_cast<double>(mass), exact, exact * 0x1p-21 + 2) << surprise;
    ASSERT_LE(mass, last) << surprise;
    last = mass;
  }
}

TEST(Mass, SharesAreTheLeastThatReach) {
  EXPECT_EQ(sampling::share_of(1000, 0.5F), 500U);
  EXPECT_EQ(sampling::share_of(1001, 0.5F), 501U);
  EXPECT_EQ(sampling::share_of(std::uint64_t{1} << 58U, 1e-30F), 1U);
  EXPECT_EQ(sampling::share_of(16, 0.99999994F), 16U);
  for (std::uint64_t position = 0; position < 1000; ++position) {
    const std::uint64_t drawn = sampling::drawn_mass(3, 1, position);
    ASSERT_TRUE(drawn >= 1 && drawn <= 3);
  }
}

TEST(Mass, DrawsAsOftenAsMassesSay) {
  const std::vector<float> logits{0, std::log(2.0F), -INFINITY, std::log(5.0F)};
  TokenSampler sampler;
  std::map<std::int32_t, int> seen;
  constexpr int kDraws = 8000;
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    const SampledId chosen = sampler.sample(logits, {.rule = ChoiceRule::draw, .seed = 77, .position = i});
    ASSERT_NEAR(static_cast<double>(chosen.total) / 0x1p40, 8.0 / 5, 1e-6);
    ++seen[chosen.id];
  }
  EXPECT_EQ(seen.count(2), 0U);
  for (const auto& [id, share] : std::map<std::int32_t, double>{{0, 0.125}, {1, 0.25}, {3, 0.625}}) {
    EXPECT_NEAR(seen[id], kDraws * share, 5 * std::sqrt(kDraws * share * (1 - share))) << id;
  }
}

/// What a choice asks for; owns what SampleRow views.
struct Wish {
  SampleRow row;
  std::vector<TokenCount> context;
  std::vector<std::int32_t> forbidden;

  SampleRow view() const {
    SampleRow whole = row;
    whole.context = context;
    whole.forbidden = forbidden;
    return whole;
  }
};

/// Each setting on in about half of all wishes, edges among them.
Wish random_wish(std::mt19937& random, std::size_t usable) {
  const auto often = [&] { return random() % 2 == 0; };
  const auto pick = [&](std::vector<float> values) { return values[random() % values.size()]; };
  Wish wish;
  SampleRow& row = wish.row;
  row.rule = random() % 4 == 0 ? ChoiceRule::greatest : ChoiceRule::draw;
  if (often()) row.temperature = pick({0.01F, 0.7F, 1.3F, 100.0F, 1e-38F, 3e38F});
  if (often()) row.top_k = std::vector<std::uint32_t>{1, 2, 50, 100'000}[random() % 4];
  if (often()) row.top_p = pick({1e-6F, 0.3F, 0.9F, 0.9999999F});
  if (often()) row.typical_p = pick({1e-6F, 0.2F, 0.95F});
  if (often()) row.repetition_penalty = pick({0.5F, 1.2F, 1e-38F});
  if (often()) row.frequency_penalty = pick({-2.0F, 0.5F});
  row.seed = random();
  row.position = random() % 1000;
  for (std::size_t id = random() % 3; id < usable + 5; id += 1 + random() % 40) {
    wish.context.push_back({static_cast<std::int32_t>(id), 1 + static_cast<std::uint32_t>(random() % 9)});
    row.context_length += wish.context.back().count;
  }
  if (often()) wish.forbidden = {static_cast<std::int32_t>(random() % usable), static_cast<std::int32_t>(usable), -1};
  return wish;
}

class SamplingTest : public EveryBackend {};

void expect_same(Backend& backend, const std::vector<float>& logits, std::size_t usable,
                 const std::vector<Wish>& wishes) {
  const std::size_t cols = logits.size() / wishes.size();
  std::vector<SampleRow> rows;
  for (const Wish& wish : wishes) rows.push_back(wish.view());
  Filled filled(backend, logits, wishes.size());
  std::vector<SampledId> results(wishes.size());
  backend.sample(filled.rows, usable, rows, results);
  TokenSampler sampler;
  for (std::size_t i = 0; i < wishes.size(); ++i) {
    const SampledId expected = sampler.sample(std::span(logits).subspan(i * cols, usable), rows[i]);
    EXPECT_EQ(results[i].id, expected.id) << i;
    EXPECT_EQ(results[i].total, expected.total) << i;
    EXPECT_EQ(results[i].surprise, expected.surprise) << i;
  }
}

TEST_P(SamplingTest, EveryBackendChoosesTheSameToken) {
  std::mt19937 random(5);  // NOLINT
  for (const std::size_t usable : {1, 31, 900}) {
    std::vector<Wish> wishes;
    std::vector<float> logits;
    for (int i = 0; i < 24; ++i) {
      wishes.push_back(random_wish(random, usable));
      auto row = random_values(usable + 3, random, static_cast<float>(1 << i % 6));
      if (i % 3 == 0) {  // many equal ones
        for (float& logit : row) logit = std::round(logit);
      }
      if (i % 5 == 0) row[i % usable] = -INFINITY;
      if (i == 7) row[usable / 2] = NAN;
      if (i == 8) row[usable / 2] = INFINITY;
      if (i == 9) std::ranges::fill(row, -INFINITY);
      logits.insert(logits.end(), row.begin(), row.end());
    }
    expect_same(*backend_, logits, usable, wishes);
  }
}

TEST_P(SamplingTest, ManyTokensInOneBinAreFoundToo) {
  // More nearly equal logits than the device keeps a list of.
  std::mt19937 random(6);  // NOLINT
  const std::size_t usable = 5000;
  const auto logits = random_values(2 * usable, random, 0.001F);
  Wish draw{
      .row = {.rule = ChoiceRule::draw, .top_p = 0.9F, .typical_p = 0.5F, .seed = 3}, .context = {}, .forbidden = {}};
  Wish plain{.row = {.rule = ChoiceRule::draw, .seed = 4}, .context = {}, .forbidden = {}};
  expect_same(*backend_, logits, usable, {draw, plain});
}

INSTANTIATE_TEST_SUITE_P(All, SamplingTest, ::testing::ValuesIn(all_candidates()), candidate_name);

}  // namespace
}  // namespace kernels
