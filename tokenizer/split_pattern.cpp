// The alternatives of each expression in their order, the first that matches wins:
//
//   Llama 3, Qwen2                                       GPT-2
//   1  (?i:'s|'t|'re|'ve|'m|'ll|'d)                      the same in lower case only
//   2  [^\r\n\p{L}\p{N}]?\p{L}+                           ?\p{L}+
//   3  \p{N}{1,3} or \p{N}                                ?\p{N}+
//   4   ?[^\s\p{L}\p{N}]+[\r\n]*                          ?[^\s\p{L}\p{N}]+
//   5  \s*[\r\n]+                                         -
//   6  \s+(?!\S)|\s+                                      the same
#include "tokenizer/split_pattern.hpp"

#include <array>
#include <cstdint>

#include "tokenizer/unicode/utf8.hpp"

namespace tokenizer {
namespace {

/// Exactly one of these for each code point.
enum class Kind : std::uint8_t { letter, number, space, other };

constexpr std::array<Kind, 128> kAsciiKinds = [] {
  std::array<Kind, 128> kinds{};
  for (unsigned c = 0; c < kinds.size(); ++c) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool is_space = c == ' ' || (c >= '\t' && c <= '\r');
    kinds[c] = is_letter ? Kind::letter : c >= '0' && c <= '9' ? Kind::number : is_space ? Kind::space : Kind::other;
  }
  return kinds;
}();

struct Point {
  Kind kind;
  std::uint32_t bytes;
};

constexpr bool is_line_end(char c) {
  return c == '\r' || c == '\n';
}

/// Matches one pattern in one text. Positions past the end are told apart by `end_`.
class Matcher {
 public:
  Matcher(std::string_view text, const CodePoints& table) : text_(text.data()), end_(text.size()), table_(table) {}

  /// `max_digits`: 1 or 3.
  std::size_t modern(std::size_t at, int max_digits) const {
    const Point first = point(at);
    if (first.kind == Kind::letter) return letters_end(at + first.bytes);
    if (text_[at] == '\'') {
      if (const std::size_t end = contraction_end(at, true)) return end;
    }
    if (first.kind == Kind::number) return numbers_end(at, max_digits);
    const std::size_t next = at + first.bytes;
    if (next < end_ && !is_line_end(text_[at])) {
      const Point second = point(next);
      if (second.kind == Kind::letter) return letters_end(next + second.bytes);
      if (text_[at] == ' ' && second.kind == Kind::other) return line_ends_end(others_end(next));
    }
    if (first.kind == Kind::other) return line_ends_end(others_end(at));
    return spaces_end(at, true);
  }

  std::size_t gpt2(std::size_t at) const {
    if (text_[at] == '\'') {
      if (const std::size_t end = contraction_end(at, false)) return end;
    }
    const std::size_t start = text_[at] == ' ' && at + 1 < end_ ? at + 1 : at;
    const Point first = point(start);
    switch (first.kind) {
      case Kind::letter:
        return letters_end(start);
      case Kind::number:
        return numbers_end(start, -1);
      case Kind::other:
        return others_end(start);
      case Kind::space:
        break;
    }
    return spaces_end(at, false);
  }

 private:
  Point point(std::size_t at) const {
    const auto byte = static_cast<unsigned char>(text_[at]);
    if (byte < 0x80) return {kAsciiKinds[byte], 1};
    const Utf8Point wide = utf8_point(text_ + at);
    const std::uint8_t traits = table_.traits(wide.code);
    const Kind kind = (traits & CodePoints::kLetter) != 0   ? Kind::letter
                      : (traits & CodePoints::kNumber) != 0 ? Kind::number
                      : (traits & CodePoints::kSpace) != 0  ? Kind::space
                                                            : Kind::other;
    return {kind, wide.bytes};
  }

  std::size_t run_end(std::size_t at, Kind kind) const {
    while (at < end_) {
      const Point next = point(at);
      if (next.kind != kind) break;
      at += next.bytes;
    }
    return at;
  }
  std::size_t letters_end(std::size_t at) const { return run_end(at, Kind::letter); }
  std::size_t others_end(std::size_t at) const { return run_end(at, Kind::other); }
  std::size_t numbers_end(std::size_t at, int max) const {
    for (int n = 0; n != max && at < end_; ++n) {
      const Point next = point(at);
      if (next.kind != Kind::number) break;
      at += next.bytes;
    }
    return at;
  }
  std::size_t line_ends_end(std::size_t at) const {
    while (at < end_ && is_line_end(text_[at])) ++at;
    return at;
  }

  /// Alternatives 5 and 6, at white space. 5: up to the last line end of the run. 6: all of the run, but its last
  /// character is left for the word after it, unless nothing comes after or there is no other.
  std::size_t spaces_end(std::size_t at, bool stop_at_line_ends) const {
    std::size_t last = at;
    std::size_t line_end = at;
    std::size_t end = at;
    while (end < end_) {
      const Point next = point(end);
      if (next.kind != Kind::space) break;
      if (is_line_end(text_[end])) line_end = end + 1;
      last = end;
      end += next.bytes;
    }
    if (stop_at_line_ends && line_end > at) return line_end;
    return end == end_ || last == at ? end : last;
  }

  /// The end of an English contraction at the apostrophe; 0 if there is none. Folding case takes one non-ASCII letter
  /// along: the long s, U+017F.
  std::size_t contraction_end(std::size_t at, bool fold) const {
    const auto letter = [&](std::size_t i) {
      if (at + i >= end_) return '\0';
      const char c = text_[at + i];
      return fold && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    const char first = letter(1);
    const char second = letter(2);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
    if (second == 'e' && (first == 'r' || first == 'v')) return at + 3;
    if (first == 'l' && second == 'l') return at + 3;
    return fold && first == '\xC5' && second == '\xBF' ? at + 3 : 0;
  }

  const char* text_;
  std::size_t end_;
  const CodePoints& table_;
};

}  // namespace

std::size_t Splitter::piece_end(std::string_view text, std::size_t at) const {
  const Matcher matcher(text, *table_);
  switch (pattern_) {
    case SplitPattern::llama3:
      return matcher.modern(at, 3);
    case SplitPattern::qwen2:
      return matcher.modern(at, 1);
    case SplitPattern::gpt2:
      break;
  }
  return matcher.gpt2(at);
}

}  // namespace tokenizer
