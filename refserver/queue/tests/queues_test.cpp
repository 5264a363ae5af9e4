// Permits, the way in and the way out: bounds, order and wake-ups.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "refserver/queue/admission.hpp"
#include "refserver/queue/token_queue.hpp"
#include "refserver/queue/work_queue.hpp"
#include "refserver/tests/pipeline.hpp"

namespace refserver {
namespace {

using ::testing::ElementsAre;

Pending pending(RequestId id) {
  return {id, TimePoint{}, validated(Route::generate, R"({"inputs":"a"})")->request};
}

TEST(Admission, RefusesBeyondTheLimitAndTakesBack) {
  Admission admission(2);
  auto first = admission.try_enter();
  {
    const auto second = admission.try_enter();
    EXPECT_TRUE(first && second);
    EXPECT_FALSE(admission.try_enter());
  }
  EXPECT_EQ(admission.in_use(), 1U);
  first.reset();
  EXPECT_EQ(admission.in_use(), 0U);
}

TEST(Admission, AMovedPermitCountsOnce) {
  Admission admission(2);
  std::optional<Admission::Permit> held;
  {
    auto permit = admission.try_enter();
    held = std::move(permit);
  }
  EXPECT_EQ(admission.in_use(), 1U);
  held.reset();
  EXPECT_EQ(admission.in_use(), 0U);
}

TEST(WorkQueue, IsBoundedAndKeepsOrder) {
  WorkQueue queue(2);
  EXPECT_TRUE(queue.try_submit(pending(1)));
  EXPECT_TRUE(queue.try_submit(pending(2)));
  EXPECT_FALSE(queue.try_submit(pending(3)));
  Work work;
  queue.take(std::nullopt, work);
  ASSERT_EQ(work.submitted.size(), 2U);
  EXPECT_EQ(work.submitted[0].id, 1U);
  EXPECT_EQ(work.submitted[1].id, 2U);
  EXPECT_TRUE(queue.try_submit(pending(3)));
}

TEST(WorkQueue, CancelRemovesWhatIsStillQueued) {
  WorkQueue queue(4);
  EXPECT_TRUE(queue.try_submit(pending(1)));
  EXPECT_TRUE(queue.try_submit(pending(2)));
  queue.cancel(1);
  queue.cancel(9);
  Work work;
  queue.take(std::nullopt, work);
  ASSERT_EQ(work.submitted.size(), 1U);
  EXPECT_EQ(work.submitted[0].id, 2U);
  EXPECT_THAT(work.cancelled, ElementsAre(9U));
}

TEST(WorkQueue, AReachedDeadlineReturnsNothing) {
  WorkQueue queue(1);
  Work work;
  queue.take(TimePoint{}, work);
  EXPECT_TRUE(work.submitted.empty() && work.cancelled.empty() && !work.is_closed);
}

TEST(WorkQueue, CloseWakesTheEngineAndRefusesMore) {
  WorkQueue queue(1);
  Work work;
  std::thread engine([&] { queue.take(std::nullopt, work); });
  queue.close();
  engine.join();
  EXPECT_TRUE(work.is_closed);
  EXPECT_FALSE(queue.try_submit(pending(1)));
}

TEST(TokenQueue, WakesOncePerBatchUntilTaken) {
  TokenQueue queue;
  int wakes = 0;
  queue.on_ready([&] { ++wakes; });
  std::vector<TokenEvent> batch(3);
  for (std::uint32_t i = 0; i < 3; ++i) batch[i].index = i;
  queue.push(batch);
  EXPECT_TRUE(batch.empty());
  batch.resize(1);
  batch[0].index = 3;
  queue.push(batch);
  EXPECT_EQ(wakes, 1);
  std::vector<TokenEvent> taken;
  queue.take(taken);
  ASSERT_EQ(taken.size(), 4U);
  for (std::uint32_t i = 0; i < 4; ++i) EXPECT_EQ(taken[i].index, i);
  batch.resize(1);
  queue.push(batch);
  EXPECT_EQ(wakes, 2);
  std::vector<TokenEvent> none;
  queue.push(none);
  EXPECT_EQ(wakes, 2);
}

}  // namespace
}  // namespace refserver
