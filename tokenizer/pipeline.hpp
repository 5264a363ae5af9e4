// The stages a text passes on its way to ids: added tokens, normalisation, pieces, byte-pair encoding, and what is put
// around the result. Immutable once made.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/added_tokens.hpp"
#include "tokenizer/bpe/bpe.hpp"
#include "tokenizer/file/tokenizer_file.hpp"
#include "tokenizer/result.hpp"
#include "tokenizer/split_pattern.hpp"
#include "tokenizer/tokenizer.hpp"

namespace tokenizer {

struct Pipeline {
  Bpe bpe;
  AddedTokenSearch raw_tokens;         ///< looked for in the text as given
  AddedTokenSearch normalized_tokens;  ///< looked for in the normalised text
  bool normalize_nfc = false;
  std::vector<Splitter> splitters;
  bool add_prefix_space = false;
  bool split_as_gpt2 = false;
  std::vector<PostStep> post_steps;

  TokenTable texts;  ///< what each id decodes to
  std::unordered_map<std::string, TokenId> added_by_content;

  static Result<Pipeline> make(const TokenizerFile& file);
};

/// Encodes one text. With `spans`, finds out the bytes each id stands for; without, does no work for them.
class EncodeRun {
 public:
  EncodeRun(const Pipeline& pipeline, EncodeOptions options, std::vector<TokenId>& ids, std::vector<TokenSpan>* spans)
      : pipeline_(pipeline), options_(options), ids_(ids), spans_(spans) {}

  void run(std::string_view text);

 private:
  /// A text made of another one. `origin`, if given, has for each byte the range in the text below that it stands for;
  /// otherwise the bytes are those from `base` on.
  struct Layer {
    std::string_view text;
    const Layer* below = nullptr;
    std::size_t base = 0;
    const std::vector<ByteRange>* origin = nullptr;

    ByteRange locate(ByteRange range) const;
  };
  /// White space at the ends of a token, in characters; for the step that trims it off the spans.
  struct Blanks {
    std::size_t leading = 0;
    std::size_t trailing = 0;
  };

  void encode_text(const Layer& layer);
  void encode_between_raw_tokens(const Layer& layer);
  void encode_normalized(const Layer& layer);
  void split_and_encode(const Layer& layer, std::string_view text, std::size_t splitter);
  void encode_with_prefix_space(const Layer& layer, std::string_view text);
  void encode_piece(const Layer& layer, std::string_view piece);
  void add_token(const Layer& layer, std::size_t start, std::size_t stop, TokenId id);
  void post_process(std::string_view text);
  void add_around(const PostStep& step);
  void trim(const PostStep& step, std::string_view text);

  const Pipeline& pipeline_;
  EncodeOptions options_;
  std::vector<TokenId>& ids_;
  std::vector<TokenSpan>* spans_;
  std::vector<Blanks> blanks_;     ///< one per span
  std::vector<ByteRange> ranges_;  ///< of the piece at hand
};

}  // namespace tokenizer
