// The loop's promises: order of timers, timers between events, posting from other threads, idle work last, and that a
// watcher outlives the events that name it.
#include "loadgen/drive/event_loop.hpp"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <string>
#include <thread>

namespace loadgen {
namespace {

/// An event descriptor that is always readable until told otherwise; f is called for each event.
struct Bell final : Watcher {
  explicit Bell(std::function<void(Bell&)> f) : fd(::eventfd(1, EFD_NONBLOCK)), on_ring(std::move(f)) {}
  void on_ready(std::uint32_t) override { on_ring(*this); }
  void silence() {
    std::uint64_t n = 0;
    EXPECT_EQ(::read(fd.get(), &n, sizeof n), static_cast<ssize_t>(sizeof n));
  }
  FileDescriptor fd;
  std::function<void(Bell&)> on_ring;
};

TEST(EventLoop, RunsTimersInTheOrderOfTheirInstants) {
  EventLoop loop;
  std::string seen;
  const std::int64_t now = monotonic_ns();
  loop.call_at(now + 3'000'000, [&] { loop.stop(); });
  loop.call_at(now + 2'000'000, [&] { seen += "c"; });
  loop.call_at(now + 1'000'000, [&] { seen += "a"; });
  loop.call_at(now + 1'000'000, [&] { seen += "b"; });
  loop.run();
  EXPECT_EQ(seen, "abc");
  EXPECT_GE(monotonic_ns(), now + 3'000'000);
}

TEST(EventLoop, ATimerThatAsksForThePastWaitsForItsTurn) {
  EventLoop loop;
  int runs = 0;
  int events = 0;
  Bell bell([&](Bell&) {
    if (++events == 5) loop.stop();
  });
  ASSERT_EQ(loop.watch(bell.fd.get(), EPOLLIN, bell), 0);
  std::function<void()> again = [&] {
    ++runs;
    loop.call_at(0, again);
  };
  loop.call_at(0, again);
  loop.run();
  EXPECT_GE(runs, 1);
  EXPECT_LE(runs, 10) << "the timer starved what was readable";
}

TEST(EventLoop, ADueTimerRunsBetweenTwoEvents) {
  EventLoop loop;
  std::string seen;
  const std::int64_t due = monotonic_ns() + 3'600'000'000'000;
  loop.call_at(due, [&] { seen += "t"; });
  const auto ring = [&](Bell& b) {
    b.silence();
    seen += "e";
    loop.saw_time(due);  // reading took that long
    if (seen.size() >= 3) loop.stop();
  };
  Bell first(ring), second(ring);
  ASSERT_EQ(loop.watch(first.fd.get(), EPOLLIN, first), 0);
  ASSERT_EQ(loop.watch(second.fd.get(), EPOLLIN, second), 0);
  loop.run();
  EXPECT_EQ(seen, "ete");
}

TEST(EventLoop, RunsWhatOtherThreadsPost) {
  EventLoop loop;
  int sum = 0;
  std::thread poster([&] {
    for (int i = 1; i <= 100; ++i) loop.post([&sum, i] { sum += i; });
    loop.post([&] { loop.stop(); });
  });
  loop.run();
  poster.join();
  EXPECT_EQ(sum, 5050);
}

TEST(EventLoop, IdleWorkWaitsForEverythingElse) {
  EventLoop loop;
  std::string seen;
  int rings = 0;
  Bell bell([&](Bell& b) {
    seen += "e";
    if (++rings == 3) b.silence();
  });
  ASSERT_EQ(loop.watch(bell.fd.get(), EPOLLIN, bell), 0);
  int idle = 0;
  loop.set_idle([&] {
    seen += "i";
    if (++idle == 2) loop.stop();
    return idle < 2;
  });
  loop.wake_idle();
  loop.run();
  EXPECT_EQ(seen, "eeeii");
}

TEST(EventLoop, GatheringKeepsTurnsApartButNoTimerWaits) {
  EventLoop loop;
  loop.set_gathering(1'000'000);
  std::vector<std::int64_t> rings;
  std::int64_t timer_ran = 0;
  std::size_t rings_before_timer = 0;
  const std::int64_t begin = monotonic_ns();
  const std::int64_t due = begin + 300'000;
  loop.call_at(due, [&] {
    timer_ran = monotonic_ns();
    rings_before_timer = rings.size();
  });
  Bell bell([&](Bell&) {
    rings.push_back(monotonic_ns());
    if (rings.size() == 6) loop.stop();
  });
  ASSERT_EQ(loop.watch(bell.fd.get(), EPOLLIN, bell), 0);
  loop.run();
  EXPECT_GE(timer_ran, due);
  EXPECT_LE(rings_before_timer, 2U) << "the timer waited for a whole pause";
  EXPECT_GE(rings.back() - begin, 3'000'000);  // five pauses, one of which the timer cut short
}

TEST(EventLoop, ARetiredWatcherOutlivesItsBatch) {
  EventLoop loop;
  std::string seen;
  bool gone = false;
  struct Tracked final : Watcher {
    Tracked(std::string& s, bool& g) : fd(::eventfd(1, EFD_NONBLOCK)), seen_(s), gone_(g) {}
    ~Tracked() override { gone_ = true; }
    void on_ready(std::uint32_t) override { seen_ += "late"; }
    FileDescriptor fd;
    std::string& seen_;
    bool& gone_;
  };
  auto tracked = std::make_unique<Tracked>(seen, gone);
  Tracked* const raw = tracked.get();
  Bell first([&](Bell& b) {
    b.silence();
    if (tracked) {
      loop.unwatch(raw->fd.get());
      loop.retire(std::move(tracked));
    }
    EXPECT_FALSE(gone);  // an event of this batch may still name it
    loop.call_at(0, [&] { loop.stop(); });
  });
  ASSERT_EQ(loop.watch(first.fd.get(), EPOLLIN, first), 0);
  ASSERT_EQ(loop.watch(raw->fd.get(), EPOLLIN, *raw), 0);
  loop.run();
  EXPECT_TRUE(gone);
}

}  // namespace
}  // namespace loadgen
