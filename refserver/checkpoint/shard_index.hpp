// model.safetensors.index.json: which file of a folder holds which tensor. A pure reader of its text.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "refserver/checkpoint/checkpoint_error.hpp"

namespace refserver {

struct ShardIndex {
  /// Names of shards, each a plain file name, with the tensors said to be in them.
  std::map<std::string, std::vector<std::string>> tensors_of;
  std::optional<std::uint64_t> total_bytes;  ///< metadata.total_size
};

inline constexpr std::size_t kMaxShards = 1000;

CheckpointResult<ShardIndex> parse_shard_index(std::string_view text, const std::string& file);

}  // namespace refserver
