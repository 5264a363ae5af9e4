// Finds added tokens such as "<|im_end|>" in a text. Knows their options, not what becomes of the text between them.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/file/tokenizer_file.hpp"
#include "tokenizer/unicode/code_points.hpp"

namespace tokenizer {

/// A set of strings; finds the leftmost one in a text, of those that start there the longest.
class StringSearch {
 public:
  struct Found {
    std::size_t start = 0;
    std::size_t stop = 0;
    std::uint32_t index = 0;  ///< in the list the search was made of
  };

  /// Empty strings are never found; of equal ones the first is.
  explicit StringSearch(const std::vector<std::string>& strings);

  /// The first one that starts at `from` or later; false if there is none. O(n * longest string).
  bool next(std::string_view text, std::size_t from, Found& found) const;

 private:
  static constexpr std::uint32_t kNone = 0xFFFFFFFFU;
  struct Node {
    std::uint32_t first_edge = 0;
    std::uint32_t edge_count = 0;
    std::uint32_t index = kNone;  ///< of the string that ends here
  };
  struct Edge {
    unsigned char byte = 0;
    std::uint32_t node = 0;
  };

  std::uint32_t follow(const Node& node, unsigned char byte) const;
  std::size_t next_start(std::string_view text, std::size_t from) const;

  std::vector<Node> nodes_;
  std::vector<Edge> edges_;
  std::array<bool, 256> is_first_{};
  int first_count_ = 0;
  char only_first_ = 0;
};

/// The added tokens of one pass over a text.
class AddedTokenSearch {
 public:
  /// `forms` are the strings to look for, one per token: contents, or their normalised forms.
  AddedTokenSearch(std::vector<AddedToken> tokens, const std::vector<std::string>& forms)
      : tokens_(std::move(tokens)), search_(forms) {}

  bool is_empty() const { return tokens_.empty(); }

  /// Calls on_text(start, stop) and on_token(start, stop, id) for the parts of valid UTF-8 from left to right, parts
  /// that are empty left out. A token's part includes the white space it takes along. Tokens that are marked special
  /// are text like any other if `skip_special`.
  template <class OnText, class OnToken>
  void split(std::string_view text, bool skip_special, OnText on_text, OnToken on_token) const {
    std::size_t done = 0;
    StringSearch::Found found;
    SpaceRun spaces;
    for (std::size_t from = 0; !is_empty() && search_.next(text, from, found); from = found.stop) {
      const AddedToken& token = tokens_[found.index];
      if (token.special && skip_special) continue;
      if (token.single_word && !stands_alone(text, found)) continue;
      const std::size_t stop = token.rstrip ? spaces_after(text, found.stop, spaces) : found.stop;
      const std::size_t start = token.lstrip ? std::min(spaces_before(text, found.start, done), stop) : found.start;
      if (done < start) on_text(done, start);
      if (start < stop) on_token(start, stop, token.id);  // else the one before took all of its white space along
      done = stop;
    }
    if (done < text.size()) on_text(done, text.size());
  }

 private:
  /// The last run of white space that was gone through: looked at once however many tokens stand in it.
  struct SpaceRun {
    std::size_t start = 0;
    std::size_t stop = 0;
  };

  bool stands_alone(std::string_view text, const StringSearch::Found& found) const;
  std::size_t spaces_before(std::string_view text, std::size_t at, std::size_t limit) const;
  std::size_t spaces_after(std::string_view text, std::size_t at, SpaceRun& known) const;

  std::vector<AddedToken> tokens_;
  StringSearch search_;
  const CodePoints& traits_ = CodePoints::table();
};

}  // namespace tokenizer
