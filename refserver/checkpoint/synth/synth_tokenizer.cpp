// Reads just enough of tokenizer.json to know how many ids there are and which ones end a text.
#include "refserver/checkpoint/synth/synth_tokenizer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "refserver/chat/templates.hpp"
#include "refserver/checkpoint/json_document.hpp"
#include "refserver/checkpoint/mapped_file.hpp"

namespace refserver {
namespace {

constexpr std::size_t kMaxTokenizerBytes = std::size_t{64} << 20U;

CheckpointError bad(const std::string& file, std::string text) {
  return {CheckpointErrc::bad_field, file, "", std::move(text)};
}

/// The largest id in `model.vocab` and `added_tokens`, plus one.
CheckpointResult<std::size_t> count_ids(const nlohmann::json& json, const std::string& file) {
  const auto model = json.find("model");
  if (model == json.end() || !model->is_object() || !model->contains("vocab")) return bad(file, "has no model.vocab");
  std::uint64_t count = 0;
  for (const auto& [token, id] : (*model)["vocab"].items()) {
    if (!id.is_number_unsigned()) return bad(file, fmt::format("\"{}\" has no id", printable(token)));
    count = std::max(count, id.get<std::uint64_t>() + 1);
  }
  if (const auto added = json.find("added_tokens"); added != json.end() && added->is_array()) {
    for (const auto& token : *added) {
      if (!token.is_object() || !token.contains("id") || !token["id"].is_number_unsigned()) {
        return bad(file, "an added token has no id");
      }
      count = std::max(count, token["id"].get<std::uint64_t>() + 1);
    }
  }
  constexpr std::uint64_t largest = 1U << 24U;
  if (count == 0 || count > largest) return bad(file, fmt::format("{} ids; 1 to {} are taken", count, largest));
  return static_cast<std::size_t>(count);
}

CheckpointResult<void> load_folder(const std::filesystem::path& folder, SynthTokenizer& tokenizer) {
  for (const auto& [name, to] :
       {std::pair{"tokenizer.json", &tokenizer.tokenizer}, {"tokenizer_config.json", &tokenizer.tokenizer_config}}) {
    auto text = read_small_file(folder / name, kMaxTokenizerBytes);
    if (text.has_error()) return text.error();
    *to = std::move(*text);
  }
  return {};
}

}  // namespace

std::optional<std::uint32_t> SynthTokenizer::id_of(std::string_view added_token) const {
  const auto json = parse_json(tokenizer, "tokenizer.json");  // was parsed without an error when it was loaded
  const auto added = json->find("added_tokens");
  if (added == json->end()) return std::nullopt;
  for (const auto& token : *added) {
    const auto content = token.find("content");
    if (content != token.end() && *content == added_token) return token["id"].get<std::uint32_t>();
  }
  return std::nullopt;
}

CheckpointResult<SynthTokenizer> load_synth_tokenizer(const SynthOptions& options, Architecture architecture) {
  const bool is_qwen = architecture == Architecture::qwen2;
  SynthTokenizer tokenizer{
      .tokenizer = std::string(is_qwen ? embedded::qwen2_tokenizer : embedded::llama3_tokenizer),
      .tokenizer_config = std::string(is_qwen ? embedded::qwen2_tokenizer_config : embedded::llama3_tokenizer_config),
      .chat_template = std::string(is_qwen ? qwen2_template : llama3_1_template)};
  if (!options.tokenizer_folder.empty()) {
    if (auto loaded = load_folder(options.tokenizer_folder, tokenizer); loaded.has_error()) return loaded.error();
  }
  const std::string file = (options.tokenizer_folder / "tokenizer.json").string();
  const auto json = parse_json(tokenizer.tokenizer, file);
  if (json.has_error()) return json.error();
  if (!json->is_object()) return bad(file, "is not an object");
  const auto count = count_ids(*json, file);
  if (count.has_error()) return count.error();
  tokenizer.id_count = *count;
  return tokenizer;
}

}  // namespace refserver
