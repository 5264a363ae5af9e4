// Several processes' results as one: a pure function of the set of them, whatever their order. Counters and histogram
// slots are added, so percentiles are those of all requests together; percentiles themselves are never combined.
#pragma once

#include <string>
#include <vector>

#include "loadgen/result.hpp"
#include "loadgen/summarize/shard_result.hpp"
#include "loadgen/summarize/summary.hpp"

namespace loadgen {

struct MergedRun {
  RunTotals totals;                   ///< on the clock of the first shard present
  Observations observations;          ///< of all shards, by that clock; what several looked at is there once
  std::vector<ShardNote> notes;       ///< one for each shard there should be
  std::vector<std::string> degraded;  ///< why the plan is not covered; empty: all of it is
  std::vector<std::string> warnings;
  Health worst = Health::valid;      ///< of the shards' own verdicts and what only shows between them
  std::vector<std::string> reasons;  ///< for `worst`
};

/// The error names what differs where these are not the shards of one run: another plan, number of shards, start,
/// program version. Missing and interrupted shards make the result degraded; of two results of one shard the complete
/// one counts. At least one shard.
Result<MergedRun, std::string> merge_shards(std::vector<ShardResult> shards);

enum class Degraded : std::uint8_t { judge, leave_open };

/// Summarizes the whole; gates of a degraded run stay open unless they are to be judged on what there is.
Summary summarize_merged(const Scenario& scenario, const MergedRun& merged, const HostFacts& host, Degraded degraded);

}  // namespace loadgen
