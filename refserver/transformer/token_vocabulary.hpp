// A checkpoint's tokenizer as the scheduler sees it: text of tokens as they come, and which of them end a sequence.
#pragma once

#include <memory>
#include <vector>

#include "refserver/schedule/vocabulary.hpp"
#include "tokenizer/tokenizer.hpp"

namespace refserver {

class TokenVocabulary final : public Vocabulary {
 public:
  TokenVocabulary(std::shared_ptr<const tokenizer::Tokenizer> tokenizer, std::vector<TokenId> end_tokens);

  /// Special tokens have their text here: whoever shows it can leave them out by `is_special`.
  std::unique_ptr<TokenText> start_text() const override;
  /// U+FFFD where the token is not whole characters; empty for ids that are no tokens.
  std::string text(TokenId id) const override;
  bool is_special(TokenId id) const override { return tokenizer_->is_special(id); }
  bool is_eos(TokenId id) const override;

 private:
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer_;
  std::vector<TokenId> end_tokens_;
};

}  // namespace refserver
