// shard.json: the result of one process in a form that loses nothing, so that `loadgen merge` can add several up. One
// line of JSON that ends in a checksum of itself. docs/distributed.md lists the members.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "loadgen/plan/scenario.hpp"
#include "loadgen/result.hpp"
#include "loadgen/summarize/shard_result.hpp"
#include "loadgen/summarize/summary.hpp"

namespace loadgen {

/// What this process found, as a shard: who it is, its clock, its own verdict.
ShardResult make_shard_result(const Scenario& scenario, const RunTotals& totals, const Observations& observations,
                              const Summary& summary);

std::string shard_text(const ShardResult& shard);

/// Reads it back. The error says what is wrong: not whole, another version, a member missing or out of range.
Result<ShardResult, std::string> parse_shard(std::string_view text);

/// Reads shard.json of a run directory, or shard.part.json where a run ended without one. The error names the file.
Result<ShardResult, std::string> read_shard(const std::filesystem::path& run_directory);

/// What can be told of the scenario from its document: enough to summarize and to print a run. Prompts are as many as
/// there were, and empty.
Result<Scenario, std::string> scenario_of_shard(const ShardResult& shard);

}  // namespace loadgen
