// Drain, apply cancellations, advance, deliver: one pass per wake-up, one step per pass.
#include "refserver/schedule/engine_loop.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <utility>

namespace refserver {
namespace {

/// Least time between two steps that are not due to new work. Deadlines closer together than this leave in one batch:
/// the wake-ups saved keep a small machine ahead of hundreds of streams, for at most this much delay.
constexpr std::chrono::microseconds kStepSpacing{100};

RequestSpec make_spec(Pending&& pending) {
  ValidRequest& request = pending.request;
  RequestSpec spec;
  spec.id = pending.id;
  spec.received = pending.received;
  spec.prompt = std::move(request.prompt_ids);
  spec.max_new_tokens = request.max_new_tokens;
  spec.min_new_tokens = request.min_new_tokens;
  spec.ignores_eos = request.ignore_eos;
  spec.stop = std::move(request.stop);
  spec.sampling = request.sampling;
  spec.top_n_tokens = request.top_n_tokens;
  spec.reads_prefix_cache = request.reads_prefix_cache;
  spec.draw_key = std::move(pending.draw_key);
  spec.tenant = std::move(pending.standing.tenant);
  spec.priority = pending.standing.priority;
  return spec;
}

TokenEvent make_failure(RequestId id, FailureKind kind, std::string why) {
  TokenEvent event;
  event.request = id;
  event.failure = std::move(why);
  event.failure_kind = kind;
  return event;
}

ModelState state_of(const Scheduler& scheduler, const ModelUse& use) {
  const SchedulerCounters& counters = scheduler.counters();
  const BlockPool& pool = scheduler.pool();
  ModelState state;
  state.running = scheduler.running();
  state.waiting = scheduler.waiting();
  state.kv = {pool.capacity(), pool.block_size(), pool.used_blocks(), pool.cached_blocks(), pool.written_slots()};
  state.steps = counters.steps;
  state.step_tokens = counters.computed_tokens;
  state.generated_tokens = counters.generated_tokens;
  state.prompt_tokens = counters.prompt_tokens;
  state.cached_tokens = counters.cached_tokens;
  state.queried_tokens = counters.queried_tokens;
  state.recomputed_tokens = counters.recomputed_tokens;
  state.drafted_tokens = counters.drafted_tokens;
  state.accepted_drafts = counters.accepted_drafts;
  state.preemptions = counters.preemptions;
  state.evictions = pool.evictions();
  state.refused = counters.refused;
  state.cancelled = counters.cancelled;
  state.timed_out = counters.timed_out;
  state.failed = counters.failed;
  state.switches = use.switches;
  state.busy = use.busy;
  return state;
}

std::vector<const Scheduler*> schedulers_of(const std::vector<DeviceModel>& models) {
  std::vector<const Scheduler*> out;
  out.reserve(models.size());
  for (const DeviceModel& model : models) out.push_back(model.scheduler);
  return out;
}

}  // namespace

EngineLoop::EngineLoop(EngineLoopParts parts)
    : models_(std::move(parts.models)),
      work_(parts.work),
      tokens_(parts.tokens),
      board_(parts.board),
      device_(models_),
      meter_(schedulers_of(models_), parts.meter, std::move(parts.model_meters)) {
  post();  // nobody is ever told that there are no models
  thread_ = std::thread([this] { run(); });
}

EngineLoop::~EngineLoop() {
  work_.close();
  thread_.join();
}

void EngineLoop::run() {
  pthread_setname_np(pthread_self(), "engine");
  // The kernel may otherwise delay a timed wait by 50 us to merge it with others.
  prctl(PR_SET_TIMERSLACK, 1);
  Work work;
  std::optional<TimePoint> wake;
  for (;;) {
    work_.take(wake, work);
    if (work.is_closed) return;
    const TimePoint now = Clock::now();
    for (const RequestId id : work.cancelled) {
      for (std::size_t i = 0; i < models_.size() && !device_.cancel(i, id); ++i) {
      }
    }
    catch_up(now);
    take_in(work, now);
    if (!device_.is_busy()) advance(now);
    deliver();
    wake = next_;
    // A step in the past is work left over, not a deadline: it goes on at once.
    if (wake && *wake > now) wake = std::max(*wake, now + kStepSpacing);
  }
}

void EngineLoop::take_in(Work& work, TimePoint now) {
  for (Pending& pending : work.submitted) {
    const RequestId id = pending.id;
    const std::size_t model = pending.request.model;
    if (const auto refusal = device_.add(model, make_spec(std::move(pending)), now)) refuse(id, *refusal);
  }
}

void EngineLoop::refuse(RequestId id, Refusal refusal) {
  std::vector<TokenEvent> out;
  switch (refusal) {
    case Refusal::queue_full:
    case Refusal::queue_tokens:
      out.push_back(make_failure(id, FailureKind::overloaded, "too much is waiting"));
      break;
    case Refusal::deadline_passed:
      out.push_back(make_failure(id, FailureKind::queue_timeout, "its time was over before it was queued"));
      break;
    case Refusal::prompt_too_long:
    case Refusal::total_too_long:
      out.push_back(make_failure(id, FailureKind::generation, "prompt and answer do not fit the KV cache"));
      break;
    case Refusal::empty:
    case Refusal::duplicate:
      out.push_back(make_failure(id, FailureKind::generation, "the scheduler refused the request"));
      break;
  }
  tokens_.push(out);
}

/// Commits the step under way if it is over. Simulated steps end when they end, however late this thread wakes: the
/// next one begins at that very time, so that steps never drift. A real engine blocks instead, and what came in
/// meanwhile joins its next step.
void EngineLoop::catch_up(TimePoint now) {
  while (device_.is_busy() && *next_ <= now) {
    const TimePoint end = *next_;
    const bool is_simulated = device_.is_simulating();
    advance(end);
    deliver();
    if (!is_simulated || !next_) return;
    advance(end);
  }
}

void EngineLoop::advance(TimePoint now) {
  const TimePoint called = Clock::now();
  try {
    next_ = device_.advance(now, events_);
  } catch (const std::exception& e) {
    fmt::print(stderr, "refserver: engine: {}\n", e.what());
    // Without a step under way it is not an engine's doing, and nobody knows what state this is.
    if (!device_.fail_running(events_)) throw;
    next_ = TimePoint{};
    meter_.on_step_failed();
  }
  meter_.look({called, Clock::now()});
}

/// What is known of a step is posted before its tokens leave: whoever has read the last token sees the request gone.
void EngineLoop::deliver() {
  post();
  for (const Dropped& dropped : events_.dropped) {
    const bool is_failure = dropped.reason == DropReason::failed;
    events_.tokens.push_back(make_failure(dropped.request,
                                          is_failure ? FailureKind::generation : FailureKind::queue_timeout,
                                          is_failure ? "the engine failed" : "it waited for too long"));
  }
  tokens_.push(events_.tokens);
  events_.clear();
}

void EngineLoop::post() {
  if (board_ == nullptr) return;
  states_.clear();
  for (std::size_t i = 0; i < models_.size(); ++i) states_.push_back(state_of(*models_[i].scheduler, device_.use(i)));
  board_->post(states_);
}

}  // namespace refserver
