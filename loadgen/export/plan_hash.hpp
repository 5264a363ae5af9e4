// One word for everything that must be equal on all processes of a run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "loadgen/plan/scenario.hpp"

namespace loadgen {

/// SHA-256 in hex over the scenario with its prompts and gates (header names, but no header values), the number of
/// shards, the common start, the shape of the histograms and the version of the program. Where the scenario was read
/// from, and how many threads each process has, may differ.
std::string plan_hash(const Scenario& scenario, std::uint32_t shards, std::optional<std::int64_t> start_at_ns);

}  // namespace loadgen
