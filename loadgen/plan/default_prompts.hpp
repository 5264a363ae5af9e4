// What is asked when neither the scenario nor the command line gives a prompt. Texts only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "loadgen/plan/scenario.hpp"

namespace loadgen {

/// Prompts for `scenario` (qa, summarize, rewrite; anything else: general ones). The gateway puts its own instruction
/// around the text it gets; on the other routes the instruction is part of the prompt.
std::vector<std::string> default_prompts(std::string_view scenario, Route route);

}  // namespace loadgen
