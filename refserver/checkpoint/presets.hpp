// Models known by name: published sizes for synthesis and planning, and a tiny one of each family for tests.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "refserver/checkpoint/model_config.hpp"

namespace refserver {

struct ModelPreset {
  std::string name;                    ///< "qwen2-7b"
  std::vector<std::string> published;  ///< repositories with exactly these sizes, without the owner
  ModelConfig config;                  ///< quantised as published: GPTQ, 4 bits, groups of 128; no stop tokens
};

/// All of them, smallest first; the two tiny ones are "tiny-qwen2" and "tiny-llama".
const std::vector<ModelPreset>& model_presets();

/// By name or by the name of a repository, with or without its owner.
const ModelPreset* find_preset(std::string_view name);

}  // namespace refserver
