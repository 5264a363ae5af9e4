// Drain, apply cancellations, step, post: one pass per wake-up.
#include "refserver/schedule/engine_loop.hpp"

#include <pthread.h>
#include <sys/prctl.h>

namespace refserver {

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
    next = engine_.step(Clock::now(), batch);
    tokens_.push(batch);
  }
}

}  // namespace refserver
