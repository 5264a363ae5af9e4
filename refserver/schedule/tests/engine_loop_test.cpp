// The loop with engines that block, fail or keep to a script: what comes out, when, and what is told to meters.
#include "refserver/schedule/engine_loop.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "refserver/schedule/tests/fake_engine.hpp"
#include "refserver/tests/pipeline.hpp"

namespace refserver {
namespace {

using namespace std::chrono_literals;

Pending pending(RequestId id, std::uint32_t tokens, TimePoint received = Clock::now()) {
  auto valid = validated(Route::generate,
                         R"({"inputs":"a b c","parameters":{"max_new_tokens":)" + std::to_string(tokens) + "}}");
  return {id, received, std::move(valid->request)};
}

SchedulerConfig small_config() {
  SchedulerConfig config;
  config.pool = {.model = "m", .blocks = 65, .block_size = 4};
  config.max_batch_prefill_tokens = 64;
  config.max_batch_size = 8;
  return config;
}

/// What a loop needs besides engines, and a way to wait for tokens.
class Bench {
 public:
  explicit Bench(StepEngine& engine, SchedulerConfig config = small_config(), bool is_simulated = false)
      : scheduler(config, vocabulary) {
    tokens.on_ready([this] {
      const std::lock_guard lock(mutex_);
      is_ready_ = true;
      ready_.notify_one();
    });
    loop.emplace(EngineLoopParts{{{&scheduler, &engine, 1, 0, is_simulated}}, work, tokens, &board, &meter, {}});
  }

  /// The next `count` events; fewer if ten seconds pass.
  std::vector<TokenEvent> take(std::size_t count) {
    std::vector<TokenEvent> all;
    std::vector<TokenEvent> some;
    while (all.size() < count) {
      std::unique_lock lock(mutex_);
      if (!ready_.wait_for(lock, 10s, [this] { return is_ready_; })) break;
      is_ready_ = false;
      lock.unlock();
      tokens.take(some);
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  }

  struct Meter final : EngineMeter {
    void set_waiting(std::size_t n) noexcept override { waiting = n; }
    void set_batch(std::size_t n, std::uint64_t held) noexcept override {
      running = n;
      most_running = std::max(most_running.load(), n);
      most_held = std::max(most_held.load(), held);
    }
    void on_batch_formed(std::size_t n) noexcept override { formed += n; }
    void on_concat(Concat /*reason*/, std::chrono::nanoseconds /*took*/) noexcept override { ++concats; }
    void on_step(Method method, const StepTimes& times) noexcept override {
      ++(method == Method::prefill ? prefills : decodes);
      forward_ns += times.forward.count();
    }
    void on_step_failed(Method /*method*/) noexcept override { ++failed; }
    std::atomic<std::size_t> waiting{0}, running{0}, most_running{0}, formed{0}, concats{0}, prefills{0}, decodes{0},
        failed{0};
    std::atomic<std::uint64_t> most_held{0};
    std::atomic<std::int64_t> forward_ns{0};
  };

  TestVocabulary vocabulary;
  Scheduler scheduler;
  WorkQueue work{16};
  TokenQueue tokens;
  EngineBoard board;
  Meter meter;
  std::optional<EngineLoop> loop;

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  bool is_ready_ = false;
};

/// A real engine: every step blocks until the test lets it go. Token i of a request has the id i.
class BlockingEngine final : public StepEngine {
 public:
  void run(const StepPlan& plan, TimePoint /*start*/, StepResult& result) override {
    std::unique_lock lock(mutex_);
    ++begun_;
    changed_.notify_all();
    changed_.wait_for(lock, 10s, [this] { return allowed_ > 0; });
    --allowed_;
    result.rows.assign(plan.rows.size(), {});
    for (std::size_t i = 0; i < plan.rows.size(); ++i) result.rows[i].token.id = plan.rows[i].produced + 1;
    if (fails_) throw std::runtime_error("the device is gone");
    result.end = Clock::now();
  }
  void release(RequestId /*sequence*/) override { ++released; }

  void let_go(int steps) {
    const std::lock_guard lock(mutex_);
    allowed_ += steps;
    changed_.notify_all();
  }
  bool has_begun(int steps) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 10s, [&] { return begun_ >= steps; });
  }
  void fail() {
    const std::lock_guard lock(mutex_);
    fails_ = true;
  }
  std::atomic<int> released{0};

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int begun_ = 0;
  int allowed_ = 0;
  bool fails_ = false;
};

TEST(EngineLoop, TokensOfAStepLeaveBeforeABlockingEngineRunsTheNext) {
  BlockingEngine engine;
  Bench bench(engine);
  EXPECT_TRUE(bench.work.try_submit(pending(5, 3)));
  engine.let_go(1);
  const auto first = bench.take(1);
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].request, 5U);
  EXPECT_EQ(first[0].index, 1U);
  EXPECT_EQ(first[0].step, 1U);
  ASSERT_TRUE(engine.has_begun(2));  // and is stuck there
  engine.let_go(2);
  const auto rest = bench.take(2);
  ASSERT_EQ(rest.size(), 2U);
  EXPECT_EQ(rest[1].finish, FinishReason::length);
  EXPECT_EQ(engine.released, 1);
}

TEST(EngineLoop, ACancelledRequestGivesNothingOfTheStepUnderWay) {
  BlockingEngine engine;
  Bench bench(engine);
  EXPECT_TRUE(bench.work.try_submit(pending(5, 50)));
  ASSERT_TRUE(engine.has_begun(1));
  bench.work.cancel(5);
  EXPECT_TRUE(bench.work.try_submit(pending(6, 1)));
  engine.let_go(2);
  const auto events = bench.take(1);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].request, 6U);
  EXPECT_EQ(engine.released, 2);
  const ModelState state = bench.board.read().at(0);
  EXPECT_EQ(state.cancelled, 1U);
  EXPECT_EQ(state.running + state.waiting, 0U);
  EXPECT_EQ(state.kv.used, 0U);
}

TEST(EngineLoop, AnEngineThatThrowsFailsItsRequestsAndServesTheNext) {
  BlockingEngine engine;
  Bench bench(engine);
  engine.fail();
  EXPECT_TRUE(bench.work.try_submit(pending(5, 50)));
  engine.let_go(1);
  const auto failed = bench.take(1);
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].failure, "the engine failed");
  EXPECT_EQ(failed[0].failure_kind, FailureKind::generation);
  EXPECT_EQ(bench.meter.failed, 1U);
  EXPECT_EQ(bench.board.read().at(0).failed, 1U);
  EXPECT_TRUE(bench.work.try_submit(pending(6, 50)));
  engine.let_go(1);
  EXPECT_EQ(bench.take(1).at(0).request, 6U);
}

TEST(EngineLoop, WhatTheQueueRefusesIsOverloadAndWhatWaitsTooLongATimeout) {
  BlockingEngine engine;
  SchedulerConfig config = small_config();
  config.batch = BatchKind::serial;
  config.max_waiting_requests = 1;
  config.queue_timeout = 1ms;
  Bench bench(engine, config);
  EXPECT_TRUE(bench.work.try_submit(pending(1, 2)));
  ASSERT_TRUE(engine.has_begun(1));
  EXPECT_TRUE(bench.work.try_submit(pending(2, 1)));
  EXPECT_TRUE(bench.work.try_submit(pending(3, 1)));
  engine.let_go(1);  // the loop sees both when the step is over, and queues the first
  std::vector<TokenEvent> events = bench.take(2);
  ASSERT_EQ(events.size(), 2U);
  const auto of = [&](RequestId id) {
    return std::find_if(events.begin(), events.end(), [id](const TokenEvent& e) { return e.request == id; });
  };
  ASSERT_NE(of(3), events.end());
  EXPECT_EQ(of(3)->failure_kind, FailureKind::overloaded);
  ASSERT_TRUE(engine.has_begun(2));
  std::this_thread::sleep_for(5ms);  // more than it may wait
  engine.let_go(1);
  for (const TokenEvent& event : bench.take(2)) events.push_back(event);
  ASSERT_NE(of(2), events.end());
  EXPECT_EQ(of(2)->failure_kind, FailureKind::queue_timeout);
  EXPECT_EQ(bench.board.read().at(0).timed_out, 1U);
}

TEST(EngineLoop, SimulatedStepsBeginWhereTheOneBeforeEndedHoweverLateTheThreadIs) {
  // 1 ms and 100 us a token, without noise: the whole run is known from where it starts.
  FakeEngine engine(small_config().pool, {});
  Bench bench(engine, small_config(), true);
  EXPECT_TRUE(bench.work.try_submit(pending(1, 40)));
  std::vector<TokenEvent> events = bench.take(1);
  while (!events.empty() && !events.back().finish) {
    const std::vector<TokenEvent> more = bench.take(1);
    if (more.empty()) break;
    events.insert(events.end(), more.begin(), more.end());
  }
  ASSERT_GE(events.size(), 2U);
  EXPECT_EQ(engine.fault(), "");
  for (std::size_t i = 1; i < events.size(); ++i) {
    EXPECT_EQ(events[i].due - events[i - 1].due, 1100us) << i;
  }
}

TEST(EngineLoop, MetersHearOfStepsAndSizes) {
  FakeEngine engine(small_config().pool, {});
  Bench bench(engine, small_config(), true);
  EXPECT_TRUE(bench.work.try_submit(pending(1, 4)));
  std::vector<TokenEvent> events = bench.take(1);
  while (!events.empty() && !events.back().finish) events = bench.take(1);
  ASSERT_FALSE(events.empty());
  bench.loop.reset();
  EXPECT_EQ(bench.meter.prefills, 1U);
  EXPECT_EQ(bench.meter.prefills + bench.meter.decodes, bench.scheduler.counters().steps);
  EXPECT_EQ(bench.meter.formed, 1U);
  EXPECT_EQ(bench.meter.concats, 0U);
  EXPECT_EQ(bench.meter.most_running, 1U);
  EXPECT_EQ(bench.meter.running, 0U);
  EXPECT_GE(bench.meter.most_held, 4U);
  EXPECT_GE(bench.meter.forward_ns, 1'000'000);
  EXPECT_FALSE(bench.work.try_submit(pending(6, 1)));
}

}  // namespace
}  // namespace refserver
