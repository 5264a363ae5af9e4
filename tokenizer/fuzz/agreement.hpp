// What the fuzz targets hold of every tokenizer and text: ids, spans and counts agree, and so do decoding in pieces and
// at once.
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/incremental_decoder.hpp"
#include "tokenizer/tokenizer.hpp"

namespace tokenizer::fuzz {

inline void require(bool holds) {
  if (!holds) std::abort();
}

struct Encoded {
  std::vector<TokenId> ids;
  std::string decoded;
};

inline Encoded encode_and_check(const Tokenizer& tokenizer, std::string_view text, EncodeOptions options) {
  std::vector<TokenId> ids = tokenizer.encode(text, options);
  const std::vector<TokenSpan> spans = tokenizer.encode_spans(text, options);
  require(spans.size() == ids.size() && tokenizer.count(text, options) == ids.size());
  IncrementalDecoder decoder(tokenizer, SpecialText::keep);
  std::string pieces;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    require(spans[i].id == ids[i] && spans[i].start <= spans[i].stop && spans[i].stop <= text.size());
    require(ids[i] < tokenizer.size());
    pieces += decoder.push(ids[i]);
  }
  std::string decoded = tokenizer.decode(ids, SpecialText::keep);
  require(pieces + decoder.finish() == decoded);
  return {std::move(ids), std::move(decoded)};
}

}  // namespace tokenizer::fuzz
