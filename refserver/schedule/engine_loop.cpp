// Drain, apply cancellations, step, post: one pass per wake-up.
#include "refserver/schedule/engine_loop.hpp"

#include <pthread.h>
#include <sys/prctl.h>

#include <algorithm>

namespace refserver {
namespace {

/// Least time between two steps that are not due to new work. Deadlines closer together than this leave in one batch:
/// the wake-ups saved keep a small machine ahead of hundreds of streams, for at most this much delay.
constexpr std::chrono::microseconds kStepSpacing{100};

}  // namespace

EngineLoop::EngineLoop(Engine& engine, WorkQueue& work, TokenQueue& tokens)
    : engine_(engine), work_(work), tokens_(tokens), thread_([this] { run(); }) {}

EngineLoop::~EngineLoop() {
  work_.close();
  thread_.join();
}

void EngineLoop::run() {
  pthread_setname_np(pthread_self(), "engine");
  // The kernel may otherwise delay a timed wait by 50 us to merge it with others.
  prctl(PR_SET_TIMERSLACK, 1);
  Work work;
  std::vector<TokenEvent> batch;
  std::optional<TimePoint> next;
  for (;;) {
    work_.take(next, work);
    if (work.is_closed) return;
    for (const RequestId id : work.cancelled) engine_.cancel(id);
    for (Pending& pending : work.submitted) engine_.add(std::move(pending));
    const TimePoint now = Clock::now();
    next = engine_.step(now, batch);
    // A step in the past is work left over, not a deadline: it goes on at once.
    if (next && *next > now) next = std::max(*next, now + kStepSpacing);
    tokens_.push(batch);
  }
}

}  // namespace refserver
