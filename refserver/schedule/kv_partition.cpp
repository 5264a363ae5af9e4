// Minimums first, then the rest by weight, rounded down to whole blocks.
#include "refserver/schedule/kv_partition.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace refserver {
namespace {

constexpr std::uint64_t kMostBlocks = std::numeric_limits<std::uint32_t>::max();

}  // namespace

Result<std::vector<KvShare>, std::string> partition_kv(std::uint64_t bytes, const std::vector<KvDemand>& demands) {
  std::uint64_t left = bytes;
  double weights = 0;
  for (const KvDemand& demand : demands) {
    if (demand.block_bytes == 0 || demand.minimum_blocks < 2 || !(demand.weight > 0)) {
      return fmt::format("a model with blocks of {} bytes, at least {} of them and weight {} cannot be given KV memory",
                         demand.block_bytes, demand.minimum_blocks, demand.weight);
    }
    if (demand.minimum_blocks > left / demand.block_bytes) {
      return fmt::format("{} blocks of {} bytes do not fit what is left of {} bytes of KV memory: {}",
                         demand.minimum_blocks, demand.block_bytes, bytes, left);
    }
    left -= demand.minimum_blocks * demand.block_bytes;
    weights += demand.weight;
  }
  std::vector<KvShare> shares;
  std::uint64_t first = 0;
  std::uint64_t unshared = left;
  for (const KvDemand& demand : demands) {
    const auto wanted = static_cast<std::uint64_t>(static_cast<double>(left) * (demand.weight / weights));
    const std::uint64_t extra = std::min(wanted, unshared) / demand.block_bytes;
    const std::uint64_t blocks = std::min(demand.minimum_blocks + extra, kMostBlocks);
    unshared -= (blocks - demand.minimum_blocks) * demand.block_bytes;
    shares.push_back({first, static_cast<std::uint32_t>(blocks)});
    first += blocks * demand.block_bytes;
  }
  return shares;
}

}  // namespace refserver
