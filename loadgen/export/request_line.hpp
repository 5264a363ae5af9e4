// One line of requests.jsonl: everything about one request that is worth keeping, as one JSON object.
#pragma once

#include <string>

#include "loadgen/plan/scenario.hpp"
#include "loadgen/record/interval.hpp"

namespace loadgen {

/// Appends the line with its line feed. Stamps are absolute CLOCK_MONOTONIC nanoseconds (what never happened is left
/// out), metrics are milliseconds (what is not defined for this request is left out). docs/run-directory.md lists the
/// members.
void append_request_line(std::string& out, const Scenario& scenario, const RequestRow& row);

}  // namespace loadgen
