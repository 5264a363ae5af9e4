// Time is real: the engines meant here block until a step is done.
#include "refserver/transformer/local_run.hpp"

#include <utility>

namespace refserver {

LocalRun::LocalRun(const SchedulerConfig& config, const Vocabulary& vocabulary, StepEngine& engine)
    : scheduler_(config, vocabulary), device_({{.scheduler = &scheduler_, .engine = &engine}}) {}

std::optional<Refusal> LocalRun::add(RequestSpec spec) {
  const TimePoint now = Clock::now();
  spec.received = now;
  return device_.add(0, std::move(spec), now);
}

bool LocalRun::step(const OnToken& on_token) {
  const auto next = device_.advance(Clock::now(), events_);
  for (const TokenEvent& event : events_.tokens) on_token(event);
  failed_ += events_.dropped.size();
  events_.clear();
  return next.has_value();
}

const char* explain(Refusal refusal) noexcept {
  switch (refusal) {
    case Refusal::empty:
      return "the prompt is empty, or no token is wanted";
    case Refusal::duplicate:
      return "the id is in use";
    case Refusal::prompt_too_long:
      return "the prompt is longer than the context, or than the memory for keys and values";
    case Refusal::total_too_long:
      return "prompt and answer are longer than the context";
    case Refusal::queue_full:
    case Refusal::queue_tokens:
      return "the queue is full";
    case Refusal::deadline_passed:
      return "the deadline has passed";
  }
  return "unknown";
}

}  // namespace refserver
