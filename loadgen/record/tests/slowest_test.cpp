// The slowest requests: the right ones, whole, whatever order they come in and however many recorders saw them.
#include "loadgen/record/slowest.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace loadgen {
namespace {

RequestRecord request(std::uint64_t index, std::int64_t took_ns) {
  RequestRecord record;
  record.index = index;
  record.outcome = Outcome::ok;
  record.stamps.intended = 1000;
  record.stamps.send = 1500;
  record.stamps.end = record.stamps.send + took_ns;
  record.events = {{2000, 1}, {3000, 2}};
  return record;
}

std::vector<std::uint64_t> indices(const SlowestRequests& slowest) {
  std::vector<std::uint64_t> all;
  for (const SlowRequest* kept : slowest.ranked()) all.push_back(kept->record.index);
  return all;
}

TEST(SlowestRequests, AreTheSlowestInOrder) {
  std::vector<std::uint64_t> order(1000);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), std::mt19937_64(7));
  SlowestRequests slowest(4), one(4), two(4);
  for (const std::uint64_t i : order) {
    const RequestRecord record = request(i, static_cast<std::int64_t>(10'000 + i / 2));  // pairs take equally long
    slowest.add(record, {}, LoopKind::closed);
    (i % 3 == 0 ? one : two).add(record, {}, LoopKind::closed);
  }
  EXPECT_EQ(indices(slowest), (std::vector<std::uint64_t>{998, 999, 996, 997})) << "equal times by index";
  one.take(two);
  EXPECT_EQ(indices(one), indices(slowest));
  EXPECT_TRUE(indices(two).empty());
  EXPECT_EQ(slowest.ranked()[0]->record.events.size(), 2U) << "token by token";
}

TEST(SlowestRequests, RankByWhatAUserWaited) {
  SlowestRequests open(2), closed(2);
  open.add(request(1, 100), {}, LoopKind::open);
  closed.add(request(1, 100), {}, LoopKind::closed);
  EXPECT_EQ(open.ranked()[0]->took_ns, 600) << "from the planned instant";
  EXPECT_EQ(closed.ranked()[0]->took_ns, 100);
}

TEST(SlowestRequests, LeaveOutWhatSaysNothing) {
  SlowestRequests slowest(5);
  RequestRecord record = request(1, 100);
  record.outcome = Outcome::cancelled;
  slowest.add(record, {}, LoopKind::closed);
  record.outcome = Outcome::dropped;
  record.stamps.send = 0;
  slowest.add(record, {}, LoopKind::closed);
  EXPECT_TRUE(slowest.ranked().empty());
  record = request(2, 100);
  record.outcome = Outcome::timeout_total;
  slowest.add(record, {}, LoopKind::closed);
  EXPECT_EQ(slowest.ranked().size(), 1U) << "one that was cut off is among the slowest";
  SlowestRequests none(0);
  none.add(request(3, 100), {}, LoopKind::closed);
  EXPECT_TRUE(none.ranked().empty());
}

}  // namespace
}  // namespace loadgen
