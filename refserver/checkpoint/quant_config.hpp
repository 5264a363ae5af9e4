// The GPTQ part of a model's configuration, from config.json or the older file of its own. Used by model_config only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "refserver/checkpoint/config_fields.hpp"
#include "refserver/checkpoint/model_config.hpp"

namespace refserver {

/// Reads one such object. Errors go to the failure of `fields`; what is assumed goes to `warnings`.
QuantConfig read_quant_config(const ConfigFields& fields, std::vector<std::string>& warnings);

/// The names of the settings that decide how weights are read and differ between the two; empty when they agree.
std::string differing_settings(const QuantConfig& a, const QuantConfig& b);

}  // namespace refserver
