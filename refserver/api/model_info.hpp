// What the HTTP side knows of a served model: names, limits, and how text becomes tokens. Knows no weights and no
// engine.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tokenizer/tokenizer.hpp"

namespace refserver {

class ChatTemplate;

struct ModelInfo {
  std::string name;                        ///< short name clients choose it by, such as "qwen2"
  std::string served_name;                 ///< the checkpoint's name, such as "Qwen2-7B-Instruct-GPTQ-Int4"
  std::uint32_t max_input_tokens = 32767;  ///< prompt tokens
  std::uint32_t max_total_tokens = 32768;  ///< prompt and answer together
  std::uint32_t default_new_tokens = 100;  ///< answer length where the client names none
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer{};  ///< set before any request is validated
  std::shared_ptr<const ChatTemplate> chat_template{};      ///< empty: the model has none
};

/// Index of the model a client means by its short or served name; `models.size()` if there is none.
inline std::size_t find_model(std::span<const ModelInfo> models, std::string_view name) {
  std::size_t i = 0;
  while (i < models.size() && models[i].name != name && models[i].served_name != name) ++i;
  return i;
}

/// Special tokens are put around raw prompts, not around what a chat template made: that holds its own.
inline tokenizer::EncodeOptions encode_options(bool adds_special_tokens) {
  return {adds_special_tokens ? tokenizer::SpecialTokens::add : tokenizer::SpecialTokens::omit,
          tokenizer::TokenText::recognise};
}

}  // namespace refserver
