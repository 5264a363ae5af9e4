#include "tokenizer/incremental_decoder.hpp"

#include <utility>

#include "tokenizer/unicode/utf8.hpp"

namespace tokenizer {

IncrementalDecoder::IncrementalDecoder(const Tokenizer& tokenizer, SpecialText special)
    : tokenizer_(&tokenizer), special_(special) {}

std::string IncrementalDecoder::push(TokenId id) {
  if (special_ == SpecialText::skip && tokenizer_->is_special(id)) return {};
  std::string bytes = std::exchange(held_, {});
  bytes.append(tokenizer_->token_bytes(id));
  std::string text;
  for (std::size_t at = 0; at < bytes.size();) {
    const Utf8Step step = utf8_step(bytes, at);
    if (step.kind == Utf8::cut) {
      held_ = bytes.substr(at);
      break;
    }
    text.append(step.kind == Utf8::whole ? std::string_view(bytes).substr(at, step.bytes) : kReplacement);
    at += step.bytes;
  }
  return text;
}

std::string IncrementalDecoder::finish() {
  return std::exchange(held_, {}).empty() ? std::string() : std::string(kReplacement);
}

}  // namespace tokenizer
