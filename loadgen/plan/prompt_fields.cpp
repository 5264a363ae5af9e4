#include "loadgen/plan/prompt_fields.hpp"

#include <fmt/format.h>

#include <utility>

#include "loadgen/plan/default_prompts.hpp"
#include "loadgen/plan/length_fields.hpp"
#include "loadgen/plan/prompts_file.hpp"

namespace loadgen {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t max_prompts = 10'000;

void read_made(const ObjectReader& reader, const fs::path& folder, TokenizerShelf& shelf, MixEntry& entry) {
  for (const char* other : {"prompts", "prompts_file"}) {
    if (reader.has(other)) reader.fail("prompt_tokens", fmt::format("excludes '{}'; keep one of them", other));
  }
  auto tokens = read_length(reader, "prompt_tokens", folder);
  if (!tokens) return;
  auto words = PromptWords::usual();
  if (!entry.tokenizer.empty()) {
    if (entry.vocabulary == nullptr) return;  // that has been said
    const auto& its_words = shelf.words(entry.tokenizer);
    if (!its_words)
      return reader.fail("prompt_tokens", fmt::format("the tokenizer '{}' {}", entry.tokenizer, its_words.error()));
    words = *its_words;
  }
  entry.made = std::make_shared<const MadePrompts>(MadePrompts{std::move(*tokens), std::move(words)});
}

}  // namespace

void read_tokenizer(const ObjectReader& reader, const std::string& inherited, TokenizerShelf& shelf, MixEntry& entry) {
  entry.tokenizer =
      reader.has("tokenizer") ? reader.text("tokenizer", {4096, TextRange::Kind::line}).value_or("") : inherited;
  if (entry.tokenizer.empty()) return;
  if (const auto& loaded = shelf.vocabulary(entry.tokenizer)) {
    entry.vocabulary = *loaded;
  } else if (reader.has("tokenizer")) {
    reader.fail("tokenizer", fmt::format("the tokenizer '{}' {}", entry.tokenizer, loaded.error()));
  }
}

void read_prompts(const ObjectReader& reader, const fs::path& folder, TokenizerShelf& shelf, MixEntry& entry) {
  if (reader.has("prompt_tokens")) return read_made(reader, folder, shelf, entry);
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
