// slowest.jsonl: the slowest requests with every token's stamp.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "loadgen/plan/scenario.hpp"
#include "loadgen/record/slowest.hpp"

namespace loadgen {

/// Slowest first. A line is that of requests.jsonl with `rank`, `took_ms` and `events`: [arrival in ns, tokens] each.
std::string slowest_lines(const Scenario& scenario, const SlowestRequests& slowest);

/// What the report shows of them: where each one's time went.
nlohmann::ordered_json slowest_document(const Scenario& scenario, const SlowestRequests& slowest);

}  // namespace loadgen
