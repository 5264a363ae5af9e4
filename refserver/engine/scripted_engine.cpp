// Due times are sums of draws, kept beside the request: a row computed a second time finds the same ones.
#include "refserver/engine/scripted_engine.hpp"

#include <cassert>
#include <utility>

#include "refserver/engine/keyed_random.hpp"
#include "refserver/engine/simulated_vocabulary.hpp"

namespace refserver {
namespace {

constexpr float kLogprob = -0.125F;

std::chrono::nanoseconds draw(const Distribution& of, std::uint64_t seed, Draw purpose, std::uint64_t key,
                              std::uint32_t index) {
  // Most scripts have nothing to draw.
  return of.draw(of.is_constant() ? 0.5 : keyed_uniform(seed, purpose, key, index));
}

}  // namespace

std::uint64_t draw_key_of(const RequestSpec& spec) {
  return spec.draw_key.empty() ? spec.id : hash_text(spec.draw_key);
}

ScriptedEngine::ScriptedEngine(Script script, std::shared_ptr<StallClock> stalls)
    : script_(std::move(script)), stalls_(std::move(stalls)) {
  assert(stalls_ != nullptr);
}

std::optional<TimePoint> ScriptedEngine::admit(const RequestSpec& spec) {
  stalls_->on_received(spec.received);
  Progress request;
  request.key = draw_key_of(spec);
  request.due = spec.received + draw(script_.ttft, script_.seed, Draw::ttft, request.key, 1);
  const auto [at, is_new] = requests_.insert_or_assign(spec.id, request);
  assert(is_new);
  return stalls_->after_stall(at->second.due);
}

void ScriptedEngine::answer(const Row& row, Progress& request, RowResult& result) const {
  const std::uint32_t index = row.produced + 1;
  assert(request.index == index || request.index == index + 1);
  result.token = {index, kLogprob, {}};
  for (std::uint32_t rank = 1; rank <= row.spec->top_n_tokens; ++rank) {
    const TokenId id = rank == 1 ? index : SimulatedVocabulary::alternative(rank);
    result.token.top.emplace_back(id, rank == 1 ? kLogprob : kLogprob - static_cast<float>(rank));
  }
  if (request.index == index) {
    ++request.index;
    request.due += draw(script_.gap, script_.seed, Draw::gap, request.key, request.index);
  }
  result.not_before = stalls_->after_stall(request.due);
}

void ScriptedEngine::run(const StepPlan& plan, TimePoint start, StepResult& result) {
  result.rows.assign(plan.rows.size(), {});
  for (std::size_t i = 0; i < plan.rows.size(); ++i) {
    const Row& row = plan.rows[i];
    const auto found = requests_.find(row.sequence);
    assert(found != requests_.end());
    if (row.wants_token) answer(row, found->second, result.rows[i]);
  }
  result.end = start;
}

}  // namespace refserver
