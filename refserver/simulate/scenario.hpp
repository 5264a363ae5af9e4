// A scenario of the simulator: a small JSON file of arrivals, requests and engine, and which theory it must agree with.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "refserver/checkpoint/checkpoint_error.hpp"
#include "refserver/simulate/simulation.hpp"

namespace refserver {

/// Where the expected figures come from. `dd1`, `md1`, `mm1`: one request at a time, constant or Poisson arrivals,
/// constant or exponential service. `script`: the distributions of a scripted engine. `stall`: one stall under
/// constant arrivals.
enum class Theory : std::uint8_t { none, dd1, md1, mm1, script, stall };

struct SimulationScenario {
  std::string name;
  std::string what;  ///< one line
  Theory theory = Theory::none;
  std::uint64_t warmup = 0;  ///< requests at the start that no figure counts
  SimulationSettings settings;
};

/// Reads a scenario; `name` is its name and the file in messages. Refuses fields it does not know, and settings under
/// which the theory named says nothing.
CheckpointResult<SimulationScenario> parse_scenario(std::string_view json, const std::string& name);

/// One of `known_scenarios()` by name, otherwise a file.
CheckpointResult<SimulationScenario> load_scenario(const std::string& name_or_file);

/// Names of the scenarios compiled in, in order.
std::vector<std::string> known_scenarios();

/// A scheduler that holds `kv_tokens` tokens, without prefix cache: simulated prompts share nothing.
SchedulerConfig simulated_scheduler(std::uint32_t kv_tokens);

/// "M/D/1" and the like; empty for none.
std::string_view theory_name(Theory theory);

struct SimulationFile {
  std::string_view name;  ///< without ".json"
  std::string_view text;
};
/// Generated from refserver/simulate/scenarios.
std::vector<SimulationFile> embedded_simulation_scenarios();

}  // namespace refserver
