// The files of scenarios/endpoints, inside the program: the build makes their definitions.
#pragma once

#include <string_view>

namespace loadgen::shipped {

extern const std::string_view llama_cpp_completion;
extern const std::string_view ollama_chat;
extern const std::string_view ollama_generate;
extern const std::string_view prompt_max_tokens;
extern const std::string_view sglang_generate;
extern const std::string_view triton_generate;
extern const std::string_view triton_generate_stream;

}  // namespace loadgen::shipped
