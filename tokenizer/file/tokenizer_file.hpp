// A tokenizer.json as plain values: what reading and checking it gives, and what the parts of a tokenizer are made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/result.hpp"

namespace tokenizer {

/// Ids lie below this, so that nothing a file says makes us allocate more than its own size justifies.
inline constexpr std::uint32_t kIdLimit = 1U << 21U;
/// A longer text is no tokenizer.json.
inline constexpr std::size_t kMaxFileBytes = std::size_t{256} << 20U;
/// As many merges as that at most.
inline constexpr std::uint32_t kMergeLimit = (1U << 22U) - 1;

/// A string in StringStore.
struct StoredString {
  std::uint32_t start = 0;
  std::uint32_t size = 0;
};

/// Many short strings in one allocation.
class StringStore {
 public:
  StoredString add(std::string_view text) {
    const auto start = static_cast<std::uint32_t>(bytes_.size());
    bytes_.append(text);
    return {start, static_cast<std::uint32_t>(text.size())};
  }
  std::string_view operator[](StoredString at) const { return std::string_view(bytes_).substr(at.start, at.size); }

 private:
  std::string bytes_;
};

struct VocabularyEntry {
  StoredString written;  ///< as in the file, in the byte alphabet
  std::uint32_t id = 0;
};

struct Merge {
  StoredString left;
  StoredString right;
};

struct AddedToken {
  std::uint32_t id = 0;
  std::string content;
  bool special = false;      ///< left out of decoded text on request
  bool normalized = false;   ///< looked for in the normalised text, in its own normalised form
  bool single_word = false;  ///< only where no word character stands next to it
  bool lstrip = false;       ///< takes the white space before it along
  bool rstrip = false;       ///< takes the white space after it along
};

/// The regular expressions that are known, each with a matcher of our own.
enum class SplitPattern : std::uint8_t {
  llama3,  ///< Llama 3: numbers in groups of up to three digits
  qwen2,   ///< Qwen2, Qwen2.5: every digit alone
  gpt2,    ///< GPT-2: any number as one, contractions in lower case, no rule for new lines
};

struct PreTokenizerSettings {
  std::vector<SplitPattern> splits;  ///< each one splits the pieces of the one before
  bool add_prefix_space = false;     ///< then: a piece that does not start with a space gets one
  bool split_as_gpt2 = false;        ///< then: split by the pattern of GPT-2
};

/// What happens to the tokens of a text, in the order of the file.
struct PostStep {
  enum class Kind : std::uint8_t { trim_offsets, add_tokens } kind = Kind::add_tokens;
  bool spare_prefix_space = false;    ///< trim_offsets: one leading space at the very start is left
  std::vector<std::uint32_t> before;  ///< add_tokens
  std::vector<std::uint32_t> after;   ///< add_tokens
};

struct ModelSettings {
  std::vector<VocabularyEntry> vocabulary;
  std::vector<Merge> merges;  ///< in the order of their rank
  bool ignore_merges = false;
  bool fuse_unk = false;
  std::optional<std::string> unk_token;
};

struct TokenizerFile {
  StringStore strings;
  std::vector<AddedToken> added_tokens;
  bool normalize_nfc = false;
  PreTokenizerSettings pre_tokenizer;
  std::vector<PostStep> post_steps;
  ModelSettings model;
};

/// Reads the text of a tokenizer.json and refuses everything that we could not do exactly as the library does. What
/// needs the vocabulary (missing parts of merges, clashing ids) is checked by Vocabulary.
Result<TokenizerFile> read_tokenizer_file(std::string_view json);

}  // namespace tokenizer
