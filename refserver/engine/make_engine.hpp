// From settings to simulated engines: the one place where they are built, and where what they share is tied together.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "refserver/engine/distribution.hpp"
#include "refserver/engine/stall_clock.hpp"
#include "refserver/schedule/step_engine.hpp"
#include "refserver/schedule/vocabulary.hpp"

namespace refserver {

/// `scripted`: token times from distributions, independent of load.
enum class EngineKind : std::uint8_t { scripted };

/// One model.
struct EngineSettings {
  std::string model;  ///< its name: two models of one seed do not share their draws
  EngineKind kind = EngineKind::scripted;
  std::uint64_t seed = 0;
  // Scripted.
  Distribution ttft{std::chrono::milliseconds(100)};  ///< from the arrival of a request to its first token
  Distribution gap{std::chrono::milliseconds(20)};    ///< from token to token
};

struct MadeEngine {
  std::unique_ptr<StepEngine> engine;
  std::unique_ptr<Vocabulary> vocabulary;
};

/// One per setting, in order. Stalls hold for all of them, on one clock that the first request of any of them starts;
/// so all must be driven by one thread.
std::vector<MadeEngine> make_engines(const std::vector<EngineSettings>& settings, const std::vector<Stall>& stalls);

}  // namespace refserver
