// The rotary part of a model's configuration in its old and new spelling. Used by model_config only.
#pragma once

#include "refserver/checkpoint/config_fields.hpp"
#include "refserver/checkpoint/model_config.hpp"

namespace refserver {

/// Reads `rope_theta` and `rope_scaling` (old) or `rope_parameters` (new) of config.json.
RopeConfig read_rope_config(const ConfigFields& config);

}  // namespace refserver
