#include "loadgen/plan/prompt_fields.hpp"

#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "loadgen/plan/default_prompts.hpp"
#include "loadgen/plan/length_fields.hpp"
#include "loadgen/plan/prompts_file.hpp"
#include "tokenizer/tokenizer.hpp"

namespace loadgen {
namespace {

namespace fs = std::filesystem;
using Words = Result<std::shared_ptr<const PromptWords>, std::string>;

constexpr std::size_t max_prompts = 10'000;

Words refused(std::string why) {
  return {boost::system::in_place_error, std::move(why)};
}

Words words_of(const fs::path& file_or_folder) {
  constexpr std::uintmax_t max_bytes = 256U * 1024 * 1024;
  std::error_code ec;
  const fs::path file = fs::is_directory(file_or_folder, ec) ? file_or_folder / "tokenizer.json" : file_or_folder;
  if (!fs::is_regular_file(file, ec)) return refused("must be a tokenizer.json or a folder with one");
  if (fs::file_size(file, ec) > max_bytes || ec) return refused("is larger than 256 MiB");
  const auto loaded = tokenizer::Tokenizer::from_file(file);
  return loaded ? PromptWords::of(**loaded) : refused(loaded.error().text);
}

void read_made(const ObjectReader& reader, const fs::path& folder, const std::string& inherited, WordShelf& shelf,
               MixEntry& entry) {
  for (const char* other : {"prompts", "prompts_file"}) {
    if (reader.has(other)) reader.fail("prompt_tokens", fmt::format("excludes '{}'; keep one of them", other));
  }
  auto tokens = read_length(reader, "prompt_tokens", folder);
  if (!tokens) return;
  MadePrompts made{std::move(*tokens), inherited, nullptr};
  if (reader.has("tokenizer")) made.tokenizer = reader.text("tokenizer", {4096, TextRange::Kind::line}).value_or("");
  if (made.tokenizer.empty()) {
    made.words = PromptWords::usual();
  } else {
    const fs::path path(made.tokenizer);
    const std::string key = (path.is_absolute() || folder.empty() ? path : folder / path).string();
    auto at = shelf.find(key);
    if (at == shelf.end()) at = shelf.emplace(key, words_of(key)).first;
    if (!at->second)
      return reader.fail(reader.has("tokenizer") ? "tokenizer" : "prompt_tokens",
                         fmt::format("the tokenizer '{}' {}", made.tokenizer, at->second.error()));
    made.words = *at->second;
  }
  entry.made = std::make_shared<const MadePrompts>(std::move(made));
}

}  // namespace

void read_prompts(const ObjectReader& reader, const fs::path& folder, const std::string& tokenizer, WordShelf& shelf,
                  MixEntry& entry) {
  if (reader.has("prompt_tokens")) return read_made(reader, folder, tokenizer, shelf, entry);
  if (reader.has("tokenizer"))
    reader.fail("tokenizer", "is for prompts that are made up: give 'prompt_tokens' as well, such as 512");
  if (reader.has("prompts") && reader.has("prompts_file"))
    return reader.fail("prompts_file", "excludes 'prompts'; keep one of them");
  if (reader.has("prompts")) {
    entry.prompts =
        reader.texts("prompts", max_prompts, {1 << 20, TextRange::Kind::free}).value_or(std::vector<std::string>{});
    return;
  }
  if (!reader.has("prompts_file")) {
    entry.prompts = default_prompts(entry.scenario, entry.route);
    return;
  }
  const auto file = reader.text("prompts_file", {1000, TextRange::Kind::line});
  if (!file) return;
  auto prompts = read_prompts_file(folder, *file);
  if (prompts)
    entry.prompts = std::move(*prompts);
  else
    reader.fail("prompts_file", prompts.error());
}

}  // namespace loadgen
