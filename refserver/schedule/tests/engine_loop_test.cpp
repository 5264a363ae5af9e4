// The loop with a scripted engine: what it is told and what comes out of it.
#include "refserver/schedule/engine_loop.hpp"

#include <gtest/gtest.h>

#include <future>

#include "refserver/tests/pipeline.hpp"

namespace refserver {
namespace {

/// Gives one token per request as soon as it is asked; says when a request was cancelled.
class ScriptedEngine final : public Engine {
 public:
  void add(Pending pending) override { waiting_.push_back(pending.id); }
  void cancel(RequestId id) override { cancelled_.set_value(id); }
  std::optional<TimePoint> step(TimePoint now, std::vector<TokenEvent>& out) override {
    if (waiting_.empty()) return std::nullopt;
    TokenEvent event;
    event.request = waiting_.back();
    event.due = now;
    out.push_back(event);
    waiting_.pop_back();
    return now;
  }
  std::size_t active() const override { return waiting_.size(); }
  std::future<RequestId> cancelled() { return cancelled_.get_future(); }

 private:
  std::vector<RequestId> waiting_;
  std::promise<RequestId> cancelled_;
};

Pending pending(RequestId id) {
  return {id, TimePoint{}, validated(Route::generate, R"({"inputs":"a"})")->request};
}

TEST(EngineLoop, TokensComeOutAndCancellationsGoIn) {
  ScriptedEngine engine;
  WorkQueue work(8);
  TokenQueue tokens;
  std::promise<void> ready;
  tokens.on_ready([&] { ready.set_value(); });
  std::future<RequestId> cancelled = engine.cancelled();
  {
    const EngineLoop loop(engine, work, tokens);
    EXPECT_TRUE(work.try_submit(pending(5)));
    ASSERT_EQ(ready.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
    work.cancel(5);
    ASSERT_EQ(cancelled.wait_for(std::chrono::seconds(10)), std::future_status::ready);
    EXPECT_EQ(cancelled.get(), 5U);
  }
  std::vector<TokenEvent> out;
  tokens.take(out);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].request, 5U);
  EXPECT_FALSE(work.try_submit(pending(6)));
}

}  // namespace
}  // namespace refserver
