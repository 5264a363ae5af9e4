// The texts of the built-in chat templates (compiled in from chat/templates/).
#pragma once

#include <string_view>

namespace refserver {

extern const std::string_view qwen2_template;
extern const std::string_view qwen2_5_template;
extern const std::string_view llama3_1_template;

}  // namespace refserver
