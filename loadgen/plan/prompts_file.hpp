// Prompts from a text file beside the scenario, one per line.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "loadgen/result.hpp"

namespace loadgen {

/// Reads `file`, relative to `folder` and inside it (links are followed before judging). Lines end in \n or \r\n; blank
/// ones are left out. At most 64 MiB and 1,000,000 prompts of 1 MiB each. The error says what to change.
Result<std::vector<std::string>, std::string> read_prompts_file(const std::filesystem::path& folder,
                                                                const std::string& file);

}  // namespace loadgen
