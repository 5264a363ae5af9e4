// A step is a sum; an answer is a walk along hashes.
#include "refserver/engine/cost_engine.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

#include "refserver/engine/keyed_random.hpp"
#include "refserver/engine/scripted_engine.hpp"
#include "refserver/engine/simulated_vocabulary.hpp"

namespace refserver {
namespace {

constexpr float kLogprob = -0.125F;
/// A loop that starts a step this late at most is taken to have been on time: its own wake-up must not slow the device.
constexpr std::chrono::milliseconds kLateness{20};

std::uint64_t extend(std::uint64_t hash, TokenId token) {
  return mix64(hash + token + 1);
}

}  // namespace

CostEngine::CostEngine(CostSettings settings, std::shared_ptr<StallClock> stalls,
                       std::shared_ptr<StepTimeline> timeline)
    : settings_(std::move(settings)), stalls_(std::move(stalls)), timeline_(std::move(timeline)) {
  assert(stalls_ != nullptr && timeline_ != nullptr && settings_.vocabulary > 1);
}

std::optional<TimePoint> CostEngine::admit(const RequestSpec& spec) {
  stalls_->on_received(spec.received);
  Progress request;
  request.key = draw_key_of(spec);
  request.hash = mix64(settings_.seed);
  if (settings_.answer_length) {
    const std::uint32_t length = settings_.answer_length(spec).value_or(0);
    if (length > 0) request.length = std::max(length, spec.min_new_tokens + 1);
  }
  const bool is_new = requests_.insert_or_assign(spec.id, request).second;
  assert(is_new);
  return std::nullopt;
}

/// A device that had work when its last step ended went on at that instant, an idle one began when work was received,
/// whenever its loop came to say so.
TimePoint CostEngine::begin(const StepPlan& plan, TimePoint start) const {
  TimePoint work = start;
  for (const Row& row : plan.rows) work = std::min(work, row.spec->received);
  const TimePoint ready = std::max(work, timeline_->end);
  return start - ready > kLateness ? start : ready;
}

std::chrono::nanoseconds CostEngine::length(const StepPlan& plan) const {
  const double ns = std::min(settings_.cost.of(plan), static_cast<double>(Distribution::kLongest.count()));
  const double u = settings_.noise.is_constant() ? 0.5 : keyed_uniform(settings_.seed, Draw::step, plan.step, 0);
  return std::chrono::nanoseconds(std::llround(ns)) + settings_.noise.draw(u);
}

TokenId CostEngine::next_token(std::uint64_t hash, std::uint32_t index, const Progress& request) const {
  if (index == request.length) return SimulatedVocabulary::kEos;
  return static_cast<TokenId>(1 + hash % settings_.vocabulary);
}

void CostEngine::answer(const Row& row, Progress& request, RowResult& result) const {
  for (; request.hashed < row.tokens.size(); ++request.hashed) {
    request.hash = extend(request.hash, row.tokens[request.hashed]);
  }
  std::uint64_t hash = request.hash;
  std::uint32_t index = row.produced + 1;
  for (const TokenId draft : row.drafts) {
    if (next_token(hash, index, request) != draft) break;
    result.accepted.push_back({draft, kLogprob, {}});
    hash = extend(hash, draft);
    ++index;
  }
  result.token = {next_token(hash, index, request), kLogprob, {}};
  for (std::uint32_t rank = 1; rank <= row.spec->top_n_tokens; ++rank) {
    const TokenId id = rank == 1 ? result.token.id : SimulatedVocabulary::alternative(rank);
    result.token.top.emplace_back(id, rank == 1 ? kLogprob : kLogprob - static_cast<float>(rank));
  }
  propose(extend(hash, result.token.id), index + 1, request, result);
}

/// Guesses at token `index` and those after it.
void CostEngine::propose(std::uint64_t hash, std::uint32_t index, const Progress& request, RowResult& result) const {
  for (std::uint32_t i = 0; i < settings_.drafts; ++i, ++index) {
    const TokenId right = next_token(hash, index, request);
    const bool is_right = keyed_uniform(settings_.seed, Draw::draft, request.key, index) < settings_.draft_acceptance;
    result.drafts.push_back(is_right ? right : right % settings_.vocabulary + 1);
    hash = extend(hash, right);
  }
}

void CostEngine::run(const StepPlan& plan, TimePoint start, StepResult& result) {
  result.rows.assign(plan.rows.size(), {});
  for (std::size_t i = 0; i < plan.rows.size(); ++i) {
    const auto found = requests_.find(plan.rows[i].sequence);
    assert(found != requests_.end());
    if (plan.rows[i].wants_token) answer(plan.rows[i], found->second, result.rows[i]);
  }
  timeline_->end = stalls_->after_work(begin(plan, start), length(plan));
  result.end = std::max(start, timeline_->end);
}

}  // namespace refserver
