// What is wrong with a scenario, all of it at once: where, which field, and what would be right.
#pragma once

#include <string>
#include <vector>

namespace loadgen {

struct ScenarioError {
  std::string source;   ///< the file, or the flag as typed (`--rate`)
  int line = 0;         ///< 1-based; 0 where there is none (flags)
  std::string field;    ///< `mix[3].weight`; empty when it is about the whole file
  std::string message;  ///< what it is and what it must be
};

using ScenarioErrors = std::vector<ScenarioError>;

/// One line per error, `mix.yaml:12: mix[3].weight: must be ...`; after the tenth only how many more there are.
/// Control characters are shown as `?`, so that a hostile file cannot write to the terminal.
std::string errors_text(const ScenarioErrors& errors);

}  // namespace loadgen
