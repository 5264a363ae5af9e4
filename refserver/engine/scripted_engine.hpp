// An engine that answers from a script: exactly the tokens asked for, at times fixed by arrival alone, whatever else
// runs. It is what the load generator's numbers are checked against, so its deadlines are absolute and never drift.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "refserver/engine/distribution.hpp"
#include "refserver/engine/stall_clock.hpp"
#include "refserver/schedule/step_engine.hpp"

namespace refserver {

/// The first token of a request received at r is due at r + a draw of `ttft`, each later one a draw of `gap` after the
/// one before it was due. Draws depend on (seed, model, the request's key, the token's index) and nothing else.
struct Script {
  Distribution ttft{std::chrono::milliseconds(100)};
  Distribution gap{std::chrono::milliseconds(20)};
  std::uint64_t seed = 0;
};

/// Token i (from 1) has the id i. No step takes any time, so nobody waits for anybody. A token due inside a stall
/// becomes due at its end; later ones keep their times. Alternatives, where asked for, are the token itself and then
/// those that `SimulatedVocabulary` names.
class ScriptedEngine final : public StepEngine {
 public:
  /// The clock may be shared with other engines of the same thread. Not null.
  ScriptedEngine(Script script, std::shared_ptr<StallClock> stalls);

  std::optional<TimePoint> admit(const RequestSpec& spec) override;
  void run(const StepPlan& plan, TimePoint start, StepResult& result) override;
  void release(RequestId sequence) override { requests_.erase(sequence); }

 private:
  /// `due` is when token `index` leaves if no stall covers it.
  struct Progress {
    std::uint64_t key = 0;
    std::uint32_t index = 1;
    TimePoint due;
  };

  void answer(const Row& row, Progress& request, RowResult& result) const;

  Script script_;
  std::shared_ptr<StallClock> stalls_;
  std::unordered_map<RequestId, Progress> requests_;
};

/// What a request's draws are keyed by.
std::uint64_t draw_key_of(const RequestSpec& spec);

}  // namespace refserver
