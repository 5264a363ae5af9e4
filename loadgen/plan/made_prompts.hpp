// Prompts of a wanted length, made up of words. Which words a request gets is a pure function of (seed, index), so that
// any worker and any shard makes the same prompt without having kept it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "loadgen/plan/length_draw.hpp"
#include "loadgen/result.hpp"

namespace tokenizer {
class Tokenizer;
}

namespace loadgen {

/// Words of which each is one token, wherever in a prompt it stands. Immutable: threads share one.
class PromptWords {
 public:
  /// Common English words. Each is one token to Llama 3 and Qwen2; to other vocabularies most of them are.
  static std::shared_ptr<const PromptWords> usual();
  /// Words that are one token to `tokenizer`, by its own account. The error says why its prompts would not be exact.
  static Result<std::shared_ptr<const PromptWords>, std::string> of(const tokenizer::Tokenizer& tokenizer);

  /// Appends a prompt of `tokens` words, at least one: lower-case letters and single blanks. Prompts of different
  /// indices differ from the first words on; behind the 16th they repeat one long text from different places.
  void append(std::uint64_t seed, std::uint64_t index, std::uint32_t tokens, std::string& out) const;
  /// How many bytes that is.
  std::size_t bytes(std::uint64_t seed, std::uint64_t index, std::uint32_t tokens) const;
  /// The same to `at`, where there is room for it; returns where it ends.
  char* write(std::uint64_t seed, std::uint64_t index, std::uint32_t tokens, char* at) const;

 private:
  explicit PromptWords(std::vector<std::string> words);
  template <class Take>
  void visit(std::uint64_t seed, std::uint64_t index, std::uint32_t tokens, Take take) const;

  std::vector<std::string> words_;      ///< each with the blank before it
  std::string text_;                    ///< what all prompts repeat
  std::vector<std::uint32_t> offsets_;  ///< where each of its words begins, and its end
};

/// What an entry with `prompt_tokens` sends instead of given prompts.
struct MadePrompts {
  LengthDraw tokens;
  std::shared_ptr<const PromptWords> words;  ///< the entry's tokenizer's, or the usual ones
};

}  // namespace loadgen
