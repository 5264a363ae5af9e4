// Commands are delivered while a step is under way, as they are in a server, and take effect at its end.
#include "refserver/schedule/tests/world.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace refserver {

using std::chrono::microseconds;

std::vector<TokenId> prompt_of(const Arrival& arrival, RequestId id) {
  std::vector<TokenId> prompt;
  for (std::uint32_t i = 0; i < arrival.shared_tokens; ++i)
    prompt.push_back((arrival.family * 7 + i) % kVocabularySize);
  for (std::uint32_t i = 0; i < arrival.own_tokens; ++i) {
    prompt.push_back(static_cast<TokenId>((id * 31 + i * i) % kVocabularySize));
  }
  return prompt;
}

RequestSpec spec_of(const Arrival& arrival, RequestId id) {
  RequestSpec spec;
  spec.id = id;
  spec.received = TimePoint(microseconds(arrival.at_us));
  spec.prompt = prompt_of(arrival, id);
  spec.max_new_tokens = arrival.max_new_tokens;
  spec.min_new_tokens = arrival.min_new_tokens;
  spec.ignores_eos = arrival.ignores_eos;
  if (arrival.stop_token) spec.stop = {" w" + std::to_string(*arrival.stop_token)};
  spec.priority = static_cast<std::uint8_t>(arrival.priority);
  spec.tenant = "tenant" + std::to_string(arrival.tenant);
  if (arrival.salt > 0) spec.cache_salt = "salt" + std::to_string(arrival.salt);
  spec.reads_prefix_cache = arrival.reads_cache;
  if (arrival.deadline_after_us) spec.deadline = spec.received + microseconds(*arrival.deadline_after_us);
  if (arrival.first_due_after_us) spec.not_before = spec.received + microseconds(*arrival.first_due_after_us);
  return spec;
}

std::vector<TokenId> answer_alone(const Arrival& arrival, RequestId id, const SchedulerConfig& config) {
  std::vector<TokenId> history = prompt_of(arrival, id);
  const std::size_t pool_tokens = std::size_t{config.pool.blocks - 1} * config.pool.block_size;
  std::vector<TokenId> answer;
  for (;;) {
    const TokenId token = next_token(history);
    history.push_back(token);
    answer.push_back(token);
    if (answer.size() == arrival.max_new_tokens) break;
    if (token == kEosToken && !arrival.ignores_eos && answer.size() > arrival.min_new_tokens) break;
    if (token == arrival.stop_token) break;
    if (history.size() > pool_tokens) break;
  }
  return answer;
}

World::World(Trace of)
    : trace(std::move(of)), scheduler(trace.config, vocabulary), engine(trace.config.pool, trace.engine) {
  for (std::size_t i = 0; i < trace.arrivals.size(); ++i) {
    const Arrival& arrival = trace.arrivals[i];
    const TimePoint at(microseconds(arrival.at_us));
    commands_.push_back({at, i + 1, false});
    if (arrival.cancel_after_us) commands_.push_back({at + microseconds(*arrival.cancel_after_us), i + 1, true});
  }
  std::ranges::stable_sort(commands_, {}, &Command::at);
}

void World::add(RequestId id) {
  RequestSpec spec = spec_of(trace.arrivals[id - 1], id);
  Outcome& outcome = outcomes[id];
  outcome.arrived = now;
  if ((outcome.refusal = scheduler.add(spec, now))) return;
  engine.admit(spec);
  unscheduled_.emplace(scheduler.find(id)->order, id);
}

void World::cancel(RequestId id) {
  Outcome& outcome = outcomes[id];
  const bool was_over = outcome.is_over();
  if (scheduler.cancel(id) == was_over) fault = fmt::format("request {}: cancel found it {}", id, was_over);
  if (!was_over) outcome.cancelled = now;
  if (after_cancel) after_cancel(*this);
}

void World::deliver(TimePoint until) {
  for (; next_command_ < commands_.size() && commands_[next_command_].at <= until; ++next_command_) {
    const Command& command = commands_[next_command_];
    now = std::max(now, command.at);
    command.is_cancel ? cancel(command.id) : add(command.id);
  }
}

void World::note_admissions() {
  std::vector<std::uint64_t> admitted;
  for (const Sequence* const sequence : scheduler.running_members()) {
    Outcome& outcome = outcomes[sequence->spec.id];
    outcome.preemptions = sequence->preemptions;
    outcome.cached_tokens = sequence->cached_tokens;
    if (outcome.scheduled) continue;
    outcome.scheduled = sequence->scheduled;
    admissions.push_back(sequence->spec.id);
    admitted.push_back(sequence->order);
    unscheduled_.erase(sequence->order);
  }
  while (!unscheduled_.empty() && outcomes[unscheduled_.begin()->second].is_over()) {
    unscheduled_.erase(unscheduled_.begin());
  }
  for (const std::uint64_t order : admitted) {
    if (!unscheduled_.empty() && unscheduled_.begin()->first < order) ++overtakings;
  }
}

void World::note_events() {
  for (const TokenEvent& event : events.tokens) {
    Outcome& outcome = outcomes[event.request];
    if (outcome.is_over()) fault = fmt::format("request {}: an event after its end", event.request);
    outcome.tokens.push_back(event.token.id);
    if (event.index != outcome.tokens.size()) fault = fmt::format("request {}: token out of order", event.request);
    outcome.preemptions = event.preemptions;
    outcome.cached_tokens = event.cached_tokens;
    if (!event.finish) continue;
    outcome.finish = event.finish;
    outcome.ended = now;
  }
  for (const Dropped& dropped : events.dropped) {
    Outcome& outcome = outcomes[dropped.request];
    if (outcome.is_over()) fault = fmt::format("request {}: dropped after its end", dropped.request);
    outcome.dropped = dropped.reason;
    outcome.ended = now;
  }
  for (const RequestId id : events.released) engine.release(id);
  if (fault.empty()) fault = engine.fault();
}

void World::step() {
  if (after_plan) after_plan(*this);
  ++steps;
  engine.run(*plan, now, result_);
  events.clear();
  deliver(result_.end);
  now = result_.end;
  scheduler.commit(result_, now, events);
  note_events();
  if (after_commit) after_commit(*this);
}

bool World::run(std::size_t most_steps) {
  for (std::size_t idle = 0; idle < 10'000 && steps < most_steps;) {
    deliver(now);
    events.clear();
    plan = &scheduler.plan(now, events);
    note_events();
    note_admissions();
    if (!plan->rows.empty()) {
      idle = 0;
      step();
      continue;
    }
    ++idle;
    std::optional<TimePoint> next = scheduler.next_wakeup();
    if (next_command_ < commands_.size() && (!next || commands_[next_command_].at < *next)) {
      next = commands_[next_command_].at;
    }
    if (!next) return scheduler.in_flight() == 0 && fault.empty();
    now = std::max(now, *next);
  }
  return false;
}

}  // namespace refserver
