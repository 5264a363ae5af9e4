// Three readers, and what must hold between them.
#include "refserver/transformer/model_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "refserver/checkpoint/mapped_file.hpp"

namespace refserver {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxConfigBytes = std::size_t{64} << 20U;

/// `eos_token` of tokenizer_config.json: a string, or an object with a "content". Empty if there is none; the file is
/// read with all care where its chat template is, and an unreadable one adds nothing here.
std::string end_token_text(const fs::path& folder) {
  const auto text = read_small_file(folder / "tokenizer_config.json", kMaxConfigBytes);
  if (text.has_error()) return "";
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  if (!json.is_object() || !json.contains("eos_token")) return "";
  const auto& token = json["eos_token"];
  if (token.is_string()) return token.get<std::string>();
  const bool has_content = token.is_object() && token.contains("content") && token["content"].is_string();
  return has_content ? token["content"].get<std::string>() : "";
}

void add_once(std::vector<TokenId>& ids, TokenId id) {
  if (std::ranges::find(ids, id) == ids.end()) ids.push_back(id);
}

}  // namespace

CheckpointResult<ModelFolder> open_model_folder(const fs::path& folder,
                                                std::shared_ptr<const tokenizer::Tokenizer> tokenizer) {
  auto checkpoint = Checkpoint::open(folder);
  if (checkpoint.has_error()) return checkpoint.error();
  ModelFolder model;
  model.name = folder.string();
  model.checkpoint = std::make_shared<const Checkpoint>(std::move(*checkpoint));
  model.warnings = model.checkpoint->warnings();
  const std::string file = (folder / "tokenizer.json").string();
  if (tokenizer == nullptr) {
    auto read = tokenizer::Tokenizer::from_file(folder);
    if (read.has_error()) return CheckpointError{CheckpointErrc::unsupported, file, "", read.error().text};
    tokenizer = std::move(*read);
  }
  model.tokenizer = std::move(tokenizer);
  const ModelConfig& config = model.checkpoint->config();
  if (model.tokenizer->size() > config.vocab_size) {
    return CheckpointError{CheckpointErrc::bad_field, file, "",
                           fmt::format("has ids up to {}, and the model's embedding has {} rows",
                                       model.tokenizer->size() - 1, config.vocab_size)};
  }
  for (const std::uint32_t id : config.stop_token_ids) add_once(model.end_tokens, id);
  const std::string end = end_token_text(folder);
  if (const auto id = end.empty() ? std::nullopt : model.tokenizer->find(end)) add_once(model.end_tokens, *id);
  if (model.end_tokens.empty()) model.warnings.push_back("no end-of-sequence token is named: answers end by length");
  return model;
}

}  // namespace refserver
