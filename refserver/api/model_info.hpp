// What the HTTP side knows of a served model: names and limits. Knows no weights and no engine.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace refserver {

struct ModelInfo {
  std::string name;                        ///< short name clients choose it by, such as "qwen2"
  std::string served_name;                 ///< the checkpoint's name, such as "Qwen2-7B-Instruct-GPTQ-Int4"
  std::uint32_t max_input_tokens = 32767;  ///< prompt tokens
  std::uint32_t max_total_tokens = 32768;  ///< prompt and answer together
  std::uint32_t default_new_tokens = 100;  ///< answer length where the client names none
};

/// Index of the model a client means by its short or served name; `models.size()` if there is none.
inline std::size_t find_model(std::span<const ModelInfo> models, std::string_view name) {
  std::size_t i = 0;
  while (i < models.size() && models[i].name != name && models[i].served_name != name) ++i;
  return i;
}

}  // namespace refserver
