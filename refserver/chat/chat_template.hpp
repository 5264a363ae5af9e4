// A checkpoint's own chat template: messages to the prompt the model was trained on. Knows the Jinja that such
// templates are written in (chat/jinja/) and the files they come in; knows no wire format and no tokenizer.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "refserver/error.hpp"
#include "refserver/result.hpp"

namespace refserver {

/// What a template sees, with the names and meanings `transformers` gives them.
struct ChatInput {
  const nlohmann::ordered_json& messages;         ///< array of {"role", "content", ...}
  const nlohmann::ordered_json* tools = nullptr;  ///< array, or nothing: the variable is then none
  bool add_generation_prompt = true;
  const nlohmann::ordered_json* variables = nullptr;              ///< further variables, such as date_string
  std::optional<std::chrono::system_clock::time_point> now = {};  ///< what strftime_now tells, if not the time
};

/// Immutable; any number of threads may render at once. Errors are of type template_error; those of a template end with
/// the line, as in "Conversation roles must alternate (in <string>:3)".
class ChatTemplate {
 public:
  /// Parses a template. `special_tokens` holds bos_token, eos_token and others as strings. The error names the
  /// construct and the line.
  static Result<std::shared_ptr<const ChatTemplate>, Error> from_text(std::string_view text,
                                                                      const nlohmann::ordered_json& special_tokens);
  /// The template of a checkpoint folder: chat_template.jinja, else `chat_template` of tokenizer_config.json (a string,
  /// or a list of named ones of which "default" is taken); special tokens from tokenizer_config.json.
  static Result<std::shared_ptr<const ChatTemplate>, Error> from_folder(const std::filesystem::path& folder);
  /// The built-in one for a model family: "qwen2", "qwen2.5" or "llama3".
  static Result<std::shared_ptr<const ChatTemplate>, Error> built_in(std::string_view family);

  ~ChatTemplate();
  ChatTemplate(const ChatTemplate&) = delete;
  ChatTemplate& operator=(const ChatTemplate&) = delete;

  /// The prompt. Errors: what the template raised, or a limit it ran into (steps, output size, depth).
  Result<std::string, Error> render(const ChatInput& input) const;

 private:
  class Impl;
  explicit ChatTemplate(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

/// For a conversation that ends with the assistant's words, which the model is to go on with: the prompt cut behind the
/// last place where they stand, without white space at its end. As TGI does it, words that are part of what the
/// template puts after them are found there.
std::string cut_after_content(std::string prompt, std::string_view content);

}  // namespace refserver
