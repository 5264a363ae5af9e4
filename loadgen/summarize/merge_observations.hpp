// What several shards read of GPUs and servers, as one. Pure.
#pragma once

#include <vector>

#include "loadgen/summarize/shard_result.hpp"

namespace loadgen {

/// Takes each source from one shard: a page that several looked at from the one that has the most readings of it. NVML,
/// and pages at loopback addresses, are others on every machine; where the shards ran on several, their names say
/// which. Stamps are taken as they are: they must be of one clock.
Observations merge_observations(const std::vector<ShardResult>& shards);

}  // namespace loadgen
