// One engine per model; one stall clock and one device's timeline for all.
#include "refserver/engine/make_engine.hpp"

#include "refserver/engine/cost_engine.hpp"
#include "refserver/engine/keyed_random.hpp"
#include "refserver/engine/scripted_engine.hpp"
#include "refserver/engine/simulated_vocabulary.hpp"

namespace refserver {

std::vector<MadeEngine> make_engines(const std::vector<EngineSettings>& settings, const std::vector<Stall>& stalls) {
  const auto clock = std::make_shared<StallClock>(stalls);
  const auto timeline = std::make_shared<StepTimeline>();
  std::vector<MadeEngine> made;
  for (const EngineSettings& of : settings) {
    const std::uint64_t seed = of.seed ^ hash_text(of.model);
    MadeEngine& one = made.emplace_back();
    one.vocabulary = std::make_unique<SimulatedVocabulary>();
    if (of.kind == EngineKind::scripted) {
      one.engine = std::make_unique<ScriptedEngine>(Script{of.ttft, of.gap, seed}, clock);
      continue;
    }
    CostSettings cost;
    cost.cost = of.cost;
    cost.noise = of.noise;
    cost.seed = seed;
    cost.drafts = of.drafts;
    cost.draft_acceptance = of.draft_acceptance;
    cost.answer_length = of.answer_length;
    one.engine = std::make_unique<CostEngine>(std::move(cost), clock, timeline);
  }
  return made;
}

}  // namespace refserver
