// Small tokenizers of both families are compiled in, so that a server without weights counts in real tokens.
#include "refserver/models.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "refserver/chat/chat_template.hpp"
#include "refserver/checkpoint/synth/synth_tokenizer.hpp"

namespace refserver {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

template <class Loaded>
auto must(Loaded loaded, const std::string& model) {
  if (!loaded) throw std::runtime_error(fmt::format("model {}: {}", model, loaded.error().text));
  return std::move(*loaded);
}

std::string load_built_in(ModelInfo& model) {
  std::string family(family_of(model.name));
  if (family == "qwen2") family = family_of(model.served_name);
  const bool is_llama = family == "llama3";
  const std::string_view json = is_llama ? embedded::llama3_tokenizer : embedded::qwen2_tokenizer;
  model.tokenizer = must(tokenizer::Tokenizer::from_json(json), model.name);
  model.chat_template = must(ChatTemplate::built_in(family), model.name);
  return fmt::format("built-in stand-in tokenizer ({}, {} ids, not the model's own) and {} chat template",
                     is_llama ? "llama3" : "qwen2", model.tokenizer->size(), family);
}

}  // namespace

std::string_view family_of(std::string_view name) {
  const std::string text = lower(name);
  if (text.find("llama") != std::string::npos) return "llama3";
  return text.find("qwen2.5") != std::string::npos ? "qwen2.5" : "qwen2";
}

std::string load_texts(ModelInfo& model, const std::string& folder) {
  if (folder.empty()) return load_built_in(model);
  model.tokenizer = must(tokenizer::Tokenizer::from_file(folder), model.name);
  auto chat = ChatTemplate::from_folder(folder);
  const std::string from = fmt::format("tokenizer of {} ({} ids)", folder, model.tokenizer->size());
  if (!chat) return fmt::format("{}, no chat template: {}", from, chat.error().text);
  model.chat_template = std::move(*chat);
  return from + " and its chat template";
}

}  // namespace refserver
