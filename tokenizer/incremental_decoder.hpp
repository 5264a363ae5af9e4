// Ids to text one at a time, for streams: text leaves as soon as its characters are whole, and none is ever lost.
#pragma once

#include <string>

#include "tokenizer/tokenizer.hpp"

namespace tokenizer {

/// All that push and finish return, put together, is what decode returns for the same ids.
class IncrementalDecoder {
 public:
  /// `tokenizer` must outlive the decoder.
  explicit IncrementalDecoder(const Tokenizer& tokenizer, SpecialText special = SpecialText::skip);

  /// The text that `id` completes: whole characters, U+FFFD for bytes that can no longer become one. Empty while a
  /// character is still incomplete (at most 3 bytes are held back).
  std::string push(TokenId id);
  /// The rest at the end of the sequence: U+FFFD if a character was left incomplete. The decoder then starts afresh.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  SpecialText special_;
  std::string held_;  ///< the beginning of a character, valid so far
};

}  // namespace tokenizer
