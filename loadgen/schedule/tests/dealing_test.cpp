// One plan, however many send it: the shares are disjoint, together they are the plan, and each looks as it should.
#include "loadgen/schedule/dealing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "loadgen/plan/plan.hpp"
#include "loadgen/schedule/arrivals.hpp"

namespace loadgen {
namespace {

using namespace std::chrono_literals;

/// What one thread would send: index and due time.
using Sent = std::set<std::pair<std::int64_t, std::uint64_t>>;

Sent sent_by(const OpenLoop& load, std::uint64_t seed, Share share, std::uint64_t count) {
  ArrivalSequence arrivals(load, seed);
  OpenDeal deal(load.arrivals, seed, share);
  Sent sent;
  for (std::uint64_t index = 0; index < count; ++index) {
    const std::int64_t due = arrivals.next();
    if (due == ArrivalSequence::never) break;
    if (deal.is_mine(index)) sent.emplace(due, index);
  }
  return sent;
}

Sent sent_by_all(const OpenLoop& load, std::uint64_t seed, std::uint32_t shards, std::uint32_t threads,
                 std::uint64_t count) {
  Sent all;
  for (std::uint32_t shard = 0; shard < shards; ++shard)
    for (std::uint32_t thread = 0; thread < threads; ++thread)
      all.merge(sent_by(load, seed, {shard, shards, thread, threads}, count));
  return all;
}

const OpenLoop loads[] = {
    {200, Arrivals::poisson},
    {200, Arrivals::constant},
    {200, Arrivals::gamma, 0.111},
    {200, Arrivals::gamma, 16},
    {100,
     Arrivals::poisson,
     1,
     {{Stage::Shape::ramp, 100, 10s}, {Stage::Shape::hold, 20, 10s}, {Stage::Shape::ramp, 0, 5s}}},
    {100,
     Arrivals::constant,
     1,
     {{Stage::Shape::hold, 50, 10s}, {Stage::Shape::hold, 0, 5s}, {Stage::Shape::ramp, 100, 10s}}},
};

TEST(OpenDeal, TheSharesTogetherAreThePlanWhateverTheirNumber) {
  constexpr std::uint64_t count = 4000;
  for (const OpenLoop& load : loads) {
    for (const std::uint64_t seed : {1U, 42U}) {
      const Sent alone = sent_by_all(load, seed, 1, 1, count);
      EXPECT_GT(alone.size(), 700U);
      for (const std::uint32_t shards : {1U, 3U, 8U, 64U})
        for (const std::uint32_t threads : {1U, 2U, 5U})
          ASSERT_EQ(sent_by_all(load, seed, shards, threads, count), alone)
              << label(load.arrivals) << " by " << shards << " x " << threads;
    }
  }
}

TEST(OpenDeal, SharesAreOfTheRightSize) {
  constexpr std::uint64_t count = 80'000;
  for (const Arrivals arrivals : {Arrivals::poisson, Arrivals::constant}) {
    double chi_square = 0;
    for (std::uint32_t shard = 0; shard < 8; ++shard) {
      const OpenDeal deal(arrivals, 7, {shard, 8, 0, 1});
      double mine = 0;
      for (std::uint64_t i = 0; i < count; ++i) mine += deal.shard_of(i) == shard ? 1 : 0;
      chi_square += (mine - count / 8.0) * (mine - count / 8.0) / (count / 8.0);
      if (arrivals == Arrivals::constant) {
        EXPECT_EQ(mine, count / 8.0);
      }
    }
    EXPECT_LT(chi_square, 29.9);  // 7 degrees of freedom: above it with probability 1e-4; the seed is fixed
  }
}

double cv_squared(const Sent& sent) {
  double sum = 0, squares = 0;
  std::int64_t last = sent.begin()->first;
  for (const auto& [due, index] : sent) {
    const auto gap = static_cast<double>(due - last);
    last = due;
    sum += gap;
    squares += gap * gap;
  }
  const auto n = static_cast<double>(sent.size() - 1);
  return squares / n / (sum / n) / (sum / n) - 1;
}

TEST(OpenDeal, APoissonPlanWithoutOneOfItsSharesIsStillPoisson) {
  const OpenLoop load{100, Arrivals::poisson};
  Sent rest;
  for (std::uint32_t shard = 1; shard < 8; ++shard) rest.merge(sent_by(load, 3, {shard, 8, 0, 1}, 50'000));
  EXPECT_NEAR(cv_squared(rest), 1, 0.06);
  EXPECT_NEAR(cv_squared(sent_by(load, 3, {5, 8, 0, 1}, 50'000)), 1, 0.12) << "one share alone";
}

TEST(ClosedDeal, EveryUserIsSomebodysAndItsRequestsAreItsOwn) {
  for (const std::uint32_t users : {1U, 7U, 64U, 100U}) {
    for (const std::uint32_t shards : {1U, 3U, 8U}) {
      for (const std::uint32_t threads : {1U, 2U, 3U}) {
        std::set<std::uint32_t> seen;
        std::set<std::uint64_t> requests;
        for (std::uint32_t shard = 0; shard < shards; ++shard) {
          for (std::uint32_t thread = 0; thread < threads; ++thread) {
            const ClosedDeal deal(users, {shard, shards, thread, threads});
            for (std::uint32_t slot = 0; slot < deal.slots(); ++slot) {
              EXPECT_TRUE(seen.insert(deal.user(slot)).second);
              EXPECT_EQ(deal.user(slot) % shards, shard);
              for (std::uint64_t turn = 0; turn < 5; ++turn) {
                EXPECT_EQ(deal.request(slot, turn), turn * users + deal.user(slot));
                EXPECT_TRUE(requests.insert(deal.request(slot, turn)).second);
              }
            }
          }
        }
        EXPECT_EQ(seen.size(), users);
        EXPECT_EQ(*seen.rbegin(), users - 1);
        EXPECT_EQ(*requests.rbegin(), 5 * users - 1) << "turn by turn they number all requests";
      }
    }
  }
}

TEST(Plan, EveryRequestIsTheSameWhoeverDrawsIt) {
  Scenario scenario;
  scenario.mix.resize(3);
  for (MixEntry& entry : scenario.mix) entry.prompts = {"a", "b", "c", "d"};
  const Plan here(scenario), there(scenario);
  const Sent all = sent_by_all(loads[0], scenario.seed, 3, 2, 500);
  for (const auto& [due, index] : all) {
    EXPECT_EQ(here.request(index).entry, there.request(index).entry);
    EXPECT_EQ(here.prompt_text(here.request(index)), there.prompt_text(there.request(index)));
  }
}

}  // namespace
}  // namespace loadgen
