// What the scheduler must know of a model's tokens: their text, for stop strings and events, and which ones end a
// sequence. Implemented over a tokenizer, or by whatever names the tokens of a simulated engine.
#pragma once

#include <memory>
#include <string>

#include "refserver/schedule/ids.hpp"

namespace refserver {

/// Turns one sequence's tokens into text as they come.
class TokenText {
 public:
  virtual ~TokenText() = default;
  /// The text that `id` completes; characters that are not whole yet are held back.
  virtual std::string push(TokenId id) = 0;
  /// What was held back, at the end of the sequence.
  virtual std::string finish() = 0;
};

class Vocabulary {
 public:
  virtual ~Vocabulary() = default;
  virtual std::unique_ptr<TokenText> start_text() const = 0;
  /// The text of a token on its own, for alternatives.
  virtual std::string text(TokenId id) const = 0;
  virtual bool is_special(TokenId id) const = 0;
  virtual bool is_eos(TokenId id) const = 0;
};

}  // namespace refserver
