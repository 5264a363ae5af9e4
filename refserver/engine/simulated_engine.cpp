// A heap of deadlines with one entry per live sequence; entries of cancelled ones are skipped when they surface.
#include "refserver/engine/simulated_engine.hpp"

#include <algorithm>
#include <cassert>

namespace refserver {
namespace {

constexpr std::size_t kMaxTokensPerStep = 4096;
constexpr float kLogprob = -0.125F;
constexpr std::uint32_t kFirstAlternative = 1'000'000;

}  // namespace

SimulatedEngine::SimulatedEngine(std::vector<SimTiming> timings, std::optional<SimStall> stall)
    : timings_(std::move(timings)), stall_(stall) {
  assert(!timings_.empty());
}

void SimulatedEngine::add(Pending pending) {
  const SimTiming& timing = timings_.at(pending.request.model);
  if (!first_received_) first_received_ = pending.received;
  Sequence sequence;
  sequence.first_due = pending.received + timing.ttft;
  sequence.gap = timing.gap;
  sequence.max_new_tokens = pending.request.max_new_tokens;
  sequence.top_n_tokens = pending.request.top_n_tokens;
  sequence.stop = std::move(pending.request.stop);
  for (const std::string& stop : sequence.stop) sequence.longest_stop = std::max(sequence.longest_stop, stop.size());
  const auto [at, is_new] = sequences_.insert_or_assign(pending.id, std::move(sequence));
  assert(is_new);
  schedule_next(pending.id, at->second);
}

void SimulatedEngine::cancel(RequestId id) {
  sequences_.erase(id);
}

TimePoint SimulatedEngine::after_stall(TimePoint due) const {
  if (!stall_) return due;
  const TimePoint start = *first_received_ + stall_->after;
  const TimePoint end = start + stall_->length;
  return due >= start && due < end ? end : due;
}

void SimulatedEngine::schedule_next(RequestId id, const Sequence& sequence) {
  const TimePoint due = sequence.first_due + sequence.produced * sequence.gap;
  deadlines_.push({after_stall(due), scheduled_++, id});
}

TokenEvent SimulatedEngine::make_token(RequestId id, TimePoint due, Sequence& sequence) {
  TokenEvent event;
  event.request = id;
  event.index = ++sequence.produced;
  event.due = due;
  event.token.id = event.index;
  event.token.text = " t" + std::to_string(event.index);
  event.token.logprob = kLogprob;
  if (sequence.top_n_tokens > 0) event.top_tokens.push_back(event.token);
  for (std::uint32_t rank = 2; rank <= sequence.top_n_tokens; ++rank) {
    event.top_tokens.push_back({kFirstAlternative + rank, " a" + std::to_string(rank),
                                kLogprob - static_cast<float>(rank), false});
  }
  if (event.index == sequence.max_new_tokens) {
    event.finish = FinishReason::length;
  } else if (!sequence.stop.empty()) {
    // TGI's rule: the text so far ends with a stop sequence, which therefore stays in the answer.
    sequence.tail += event.token.text;
    for (const std::string& stop : sequence.stop) {
      if (sequence.tail.ends_with(stop)) event.finish = FinishReason::stop_sequence;
    }
    if (sequence.tail.size() > sequence.longest_stop) {
      sequence.tail.erase(0, sequence.tail.size() - sequence.longest_stop);
    }
  }
  return event;
}

std::optional<TimePoint> SimulatedEngine::step(TimePoint now, std::vector<TokenEvent>& out) {
  for (std::size_t n = 0; n < kMaxTokensPerStep && !deadlines_.empty();) {
    const Deadline next = deadlines_.top();
    const auto found = sequences_.find(next.request);
    if (found == sequences_.end()) {
      deadlines_.pop();
      continue;
    }
    if (next.due > now) return next.due;
    deadlines_.pop();
    out.push_back(make_token(next.request, next.due, found->second));
    ++n;
    if (out.back().finish) {
      sequences_.erase(found);
    } else {
      schedule_next(next.request, found->second);
    }
  }
  return deadlines_.empty() ? std::nullopt : std::optional(deadlines_.top().due);
}

}  // namespace refserver
