// Reads a fault file: YAML, of which JSON is a part.
#pragma once

#include <string>

#include "refserver/api/fault_plan.hpp"

namespace refserver {

/// Throws std::runtime_error "FILE:LINE: FIELD: what is wrong and what would be right".
///
///     rules:
///       - fault: reset_after_token
///         token: 5
///         every: 10                # the 10th, 20th, ... request that the rule fits
///         route: /generate_stream
///       - fault: status_429
///         retry_after: 2s
///         probability: 0.01
///         seed: 7
///     health: {up: 10s, down: 2s}
FaultPlan read_fault_file(const std::string& file);

}  // namespace refserver
