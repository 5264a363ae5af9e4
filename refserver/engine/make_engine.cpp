// One engine per model; one stall clock for all.
#include "refserver/engine/make_engine.hpp"

#include "refserver/engine/keyed_random.hpp"
#include "refserver/engine/scripted_engine.hpp"
#include "refserver/engine/simulated_vocabulary.hpp"

namespace refserver {

std::vector<MadeEngine> make_engines(const std::vector<EngineSettings>& settings, const std::vector<Stall>& stalls) {
  const auto clock = std::make_shared<StallClock>(stalls);
  std::vector<MadeEngine> made;
  for (const EngineSettings& of : settings) {
    const std::uint64_t seed = of.seed ^ hash_text(of.model);
    made.push_back({std::make_unique<ScriptedEngine>(Script{of.ttft, of.gap, seed}, clock),
                    std::make_unique<SimulatedVocabulary>()});
  }
  return made;
}

}  // namespace refserver
