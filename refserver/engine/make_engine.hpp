// From settings to simulated engines: the one place where they are built, and where what they share is tied together.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "refserver/engine/distribution.hpp"
#include "refserver/engine/stall_clock.hpp"
#include "refserver/engine/step_cost.hpp"
#include "refserver/schedule/step_engine.hpp"
#include "refserver/schedule/vocabulary.hpp"

namespace refserver {

/// `scripted`: token times from distributions, independent of load. `cost`: steps that take as long as their content
/// says, so that load is felt.
enum class EngineKind : std::uint8_t { scripted, cost };

/// One model.
struct EngineSettings {
  std::string model;  ///< its name: two models of one seed do not share their draws
  EngineKind kind = EngineKind::scripted;
  std::uint64_t seed = 0;
  // Scripted.
  Distribution ttft{std::chrono::milliseconds(100)};  ///< from the arrival of a request to its first token
  Distribution gap{std::chrono::milliseconds(20)};    ///< from token to token
  // Cost.
  StepCost cost{};                ///< see load_cost_preset
  Distribution noise{};           ///< added to each step
  std::uint32_t drafts = 0;       ///< guesses per token; of use only if the scheduler's max_drafts allows them
  double draft_acceptance = 0.7;  ///< chance of each guess to be right if those before it are, 0 to 1
  /// Tokens after which an answer ends by itself; without it only its limit ends it.
  std::function<std::optional<std::uint32_t>(const RequestSpec&)> answer_length{};
};

struct MadeEngine {
  std::unique_ptr<StepEngine> engine;
  std::unique_ptr<Vocabulary> vocabulary;
};

/// One per setting, in order. Stalls hold for all of them, on one clock that the first request of any of them starts,
/// and those of kind `cost` are one device; so all must be driven by one thread.
std::vector<MadeEngine> make_engines(const std::vector<EngineSettings>& settings, const std::vector<Stall>& stalls);

}  // namespace refserver
