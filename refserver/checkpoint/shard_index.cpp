// The index names files of its own folder only: anything with a slash could name any file of the machine.
#include "refserver/checkpoint/shard_index.hpp"

#include <fmt/format.h>

#include "refserver/checkpoint/config_fields.hpp"
#include "refserver/checkpoint/json_document.hpp"

namespace refserver {
namespace {

bool is_plain_name(const std::string& name) {
  return name.ends_with(".safetensors") && !name.starts_with('.') && name.size() <= 255 &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
}

}  // namespace

CheckpointResult<ShardIndex> parse_shard_index(std::string_view text, const std::string& file) {
  ConfigFailure failure;
  const auto json = parse_json(text, file);
  if (json.has_error()) return json.error();
  const ConfigFields fields(*json, file, "", failure);
  ShardIndex index;
  if (const auto metadata = fields.object("metadata")) {
    // Some writers state it as a floating number; it is only ever compared for a warning.
    const auto total = metadata->number("total_size", 0, 1e18);
    if (total) index.total_bytes = static_cast<std::uint64_t>(*total);
  }
  const auto map = fields.object("weight_map");
  if (!map) fields.fail("weight_map", CheckpointErrc::bad_field, "is missing");
  if (failure.error) return *failure.error;
  for (const auto& [tensor, shard] : map->json().items()) {
    if (!shard.is_string() || !is_plain_name(shard.get_ref<const std::string&>())) {
      map->fail(tensor, CheckpointErrc::bad_index,
                fmt::format("{} is not the name of a safetensors file of this folder", shown(shard)));
      return *failure.error;
    }
    index.tensors_of[shard.get<std::string>()].push_back(tensor);
  }
  if (index.tensors_of.empty() || index.tensors_of.size() > kMaxShards) {
    return CheckpointError{CheckpointErrc::bad_index, file, "weight_map",
                           fmt::format("names {} files; 1 to {} are taken", index.tensors_of.size(), kMaxShards)};
  }
  return index;
}

}  // namespace refserver
