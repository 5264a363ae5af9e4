// Text to token ids and back, as Hugging Face's tokenizers does it for byte-level BPE (Llama 3, Qwen2 and Qwen2.5,
// GPT-2). Immutable after loading: any number of threads may share one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/result.hpp"

namespace tokenizer {

using TokenId = std::uint32_t;

/// Whether encode puts the post-processor's tokens (such as a beginning-of-text token) around the ids.
enum class SpecialTokens : std::uint8_t { add, omit };
/// Whether the text of a special token, such as "<|im_end|>", becomes that token (Hugging Face's behaviour, and a way
/// to inject a turn into a prompt) or is encoded like any other text. Added tokens that are not marked special, such as
/// Qwen2.5's "<tool_call>", are recognised either way, as by the library's `encode_special_tokens`.
enum class TokenText : std::uint8_t { recognise, plain };
/// Whether decode leaves out the tokens marked special.
enum class SpecialText : std::uint8_t { keep, skip };

struct EncodeOptions {
  SpecialTokens special_tokens = SpecialTokens::add;
  TokenText token_text = TokenText::recognise;
};

/// One token and the bytes of the input it stands for: [start, stop) of the text as given. These are the library's
/// offsets: whole characters even for tokens that cut one, of a composed character its first part alone, and without
/// white space at the ends where the file's post-processor trims it. Tokens put around the text have 0, 0.
struct TokenSpan {
  TokenId id = 0;
  std::size_t start = 0;
  std::size_t stop = 0;
};

class Tokenizer {
 public:
  /// Reads the text of a tokenizer.json. The error names the member that is wrong or asks for something that is not
  /// done here exactly as the library does it: only byte-level BPE with NFC or no normaliser and the split patterns of
  /// Llama 3, Qwen2 and GPT-2 are. "truncation" and "padding" are settings of whoever encodes in batches, and are not
  /// applied.
  static Result<std::shared_ptr<const Tokenizer>> from_json(std::string_view json);
  /// Reads a tokenizer.json, or the one in a folder. The error names the file.
  static Result<std::shared_ptr<const Tokenizer>> from_file(const std::filesystem::path& file_or_folder);

  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  /// The ids of `text`, up to 4 GiB of it. Bytes that are not UTF-8 count as U+FFFD, one per maximal invalid part. O(n
  /// log n) in the length of the text, whatever it holds.
  std::vector<TokenId> encode(std::string_view text, EncodeOptions options = {}) const;
  /// The same, appended to `out`.
  void encode(std::string_view text, EncodeOptions options, std::vector<TokenId>& out) const;
  /// The same with the bytes each token stands for.
  std::vector<TokenSpan> encode_spans(std::string_view text, EncodeOptions options = {}) const;
  /// How many ids encode gives.
  std::size_t count(std::string_view text, EncodeOptions options = {}) const;

  /// The text of `ids`: valid UTF-8, U+FFFD for bytes that are not; unknown ids give nothing.
  std::string decode(std::span<const TokenId> ids, SpecialText special = SpecialText::skip) const;

  /// The raw bytes a token stands for, not always whole characters; empty for unknown ids.
  std::string_view token_bytes(TokenId id) const;
  bool is_special(TokenId id) const;
  /// The id whose token is exactly `token`: an added token's content, or a vocabulary entry in raw bytes.
  std::optional<TokenId> find(std::string_view token) const;
  /// One more than the largest id.
  std::size_t size() const;

 private:
  class Impl;
  explicit Tokenizer(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace tokenizer
