// What a shard read of GPUs and servers, as the member "observed" of shard.json and back. Internal to export.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "loadgen/observe/sample_series.hpp"

namespace loadgen {

/// Null where nothing was looked at. More than half a million readings are left out; the sources then say so and count
/// as never opened.
nlohmann::ordered_json shard_observations_json(const Observations& observations);

/// Throws checked_json::Wrong where it is not what the other function writes.
Observations shard_observations_from(const nlohmann::ordered_json& json);

}  // namespace loadgen
