// Gives every configured model its tokenizer and its chat template: those of its checkpoint, or built-in stand-ins.
#pragma once

#include <string>
#include <string_view>

#include "refserver/api/model_info.hpp"

namespace refserver {

/// Loads both from `folder`, or takes the built-in ones of the model's family where `folder` is empty. Returns what to
/// tell at start: where each came from. Throws std::runtime_error naming the file that cannot be used; a folder without
/// a chat template is fine.
std::string load_texts(ModelInfo& model, const std::string& folder);

/// "llama3", "qwen2.5" or "qwen2": what a name stands for, the last of them if it says nothing.
std::string_view family_of(std::string_view name);

}  // namespace refserver
