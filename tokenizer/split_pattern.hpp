// Cuts text into the pieces that are encoded one by one: hand-written matchers of the known regular expressions.
#pragma once

#include <cstddef>
#include <string_view>

#include "tokenizer/file/tokenizer_file.hpp"
#include "tokenizer/unicode/code_points.hpp"

namespace tokenizer {

/// Each pattern matches at every position, so the pieces put together are the text.
class Splitter {
 public:
  explicit Splitter(SplitPattern pattern) : pattern_(pattern) {}

  /// Where the piece ends that starts at text[at] (at < text.size()). `text` is valid UTF-8; O(length of the piece).
  std::size_t piece_end(std::string_view text, std::size_t at) const;

  template <class F>
  void for_each_piece(std::string_view text, F f) const {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = piece_end(text, at);
      f(text.substr(at, end - at));
      at = end;
    }
  }

 private:
  SplitPattern pattern_;
  const CodePoints* table_ = &CodePoints::table();
};

}  // namespace tokenizer
