// Which process of a run is this, and when does the run begin? From a flag, from variables of our own, or from what the
// launcher that started the processes has set. Pure: the environment is passed in.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "loadgen/result.hpp"

namespace loadgen {

/// Process `index` of `count`; every one of them is given the same scenario and sends its part of the one plan.
struct Shard {
  std::uint32_t index = 0;
  std::uint32_t count = 1;
  std::string source;        ///< where that was read, such as --shard or slurm-step; empty: nobody said
  std::string attempt = {};  ///< how often the launcher has started it, if it says so
  bool is_alone() const noexcept { return count == 1; }
};

/// The value of an environment variable; null where it is not set.
using Environment = std::function<const char*(const char* name)>;

inline constexpr std::uint32_t max_shards = 10'000;

/// `flag` is the text of --shard (k/N), which wins; then LOADGEN_SHARD_INDEX and _COUNT, then the innermost launcher:
/// Open MPI, MPICH, a Slurm step, a Slurm array, a Kubernetes indexed job, an AWS Batch array. Nothing set: the only
/// process. The error names what was read and what is wanted.
Result<Shard, std::string> identify_shard(const std::optional<std::string>& flag, const Environment& environment);

/// Seconds since 1970 with an optional fraction, in nanoseconds. The error says how it is written.
Result<std::int64_t, std::string> parse_start_time(std::string_view text);

/// The instant at which all processes start, in nanoseconds since 1970: `flag`, else LOADGEN_START_AT, seconds with an
/// optional fraction; nothing when neither is given.
Result<std::optional<std::int64_t>, std::string> read_start_at(const std::optional<std::string>& flag,
                                                               const Environment& environment);

}  // namespace loadgen
