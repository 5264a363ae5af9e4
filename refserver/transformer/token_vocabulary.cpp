// The tokenizer does the work.
#include "refserver/transformer/token_vocabulary.hpp"

#include <algorithm>
#include <utility>

#include "tokenizer/incremental_decoder.hpp"

namespace refserver {
namespace {

class DecodedText final : public TokenText {
 public:
  explicit DecodedText(std::shared_ptr<const tokenizer::Tokenizer> tokenizer)
      : tokenizer_(std::move(tokenizer)), decoder_(*tokenizer_, tokenizer::SpecialText::keep) {}

  std::string push(TokenId id) override { return decoder_.push(id); }
  std::string finish() override { return decoder_.finish(); }

 private:
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer_;
  tokenizer::IncrementalDecoder decoder_;
};

}  // namespace

TokenVocabulary::TokenVocabulary(std::shared_ptr<const tokenizer::Tokenizer> tokenizer, std::vector<TokenId> end_tokens)
    : tokenizer_(std::move(tokenizer)), end_tokens_(std::move(end_tokens)) {}

std::unique_ptr<TokenText> TokenVocabulary::start_text() const {
  return std::make_unique<DecodedText>(tokenizer_);
}

std::string TokenVocabulary::text(TokenId id) const {
  return tokenizer_->decode({&id, 1}, tokenizer::SpecialText::keep);
}

bool TokenVocabulary::is_eos(TokenId id) const {
  return std::ranges::find(end_tokens_, id) != end_tokens_.end();
}

}  // namespace refserver
