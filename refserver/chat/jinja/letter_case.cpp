// Upper and lower case, and what can be printed, by the tables.
#include <algorithm>
#include <array>

#include "refserver/chat/jinja/text.hpp"
#include "refserver/chat/jinja/unicode_tables.hpp"

namespace refserver::jinja {
namespace {

template <class Range>
const Range* find_range(std::span<const Range> table, char32_t c) {
  auto after = std::upper_bound(table.begin(), table.end(), c, [](char32_t x, const Range& r) { return x < r.first; });
  if (after == table.begin()) return nullptr;
  const Range& range = *(after - 1);
  return c <= range.last && (c - range.first) % range.stride == 0 ? &range : nullptr;
}

const CaseSpecial* find_special(std::span<const CaseSpecial> table, char32_t c) {
  auto at = std::lower_bound(table.begin(), table.end(), c,
                             [](const CaseSpecial& s, char32_t x) { return s.code_point < x; });
  return at != table.end() && at->code_point == c ? &*at : nullptr;
}

char32_t shifted(const CaseRange& range, char32_t c) {
  return static_cast<char32_t>(static_cast<std::int64_t>(c) + range.delta);
}

void append_upper(std::string& out, char32_t c) {
  if (const CaseSpecial* special = find_special(kToUpperSpecial, c)) {
    out += special->text;
  } else {
    const CaseRange* range = find_range(kToUpper, c);
    append_code_point(out, range != nullptr ? shifted(*range, c) : c);
  }
}

void append_title(std::string& out, char32_t c) {
  if (const CaseSpecial* special = find_special(kToTitleSpecial, c)) {
    out += special->text;
  } else if (const CaseRange* range = find_range(kToTitle, c)) {
    append_code_point(out, shifted(*range, c));
  } else {
    const CaseRange* upper = find_range(kToUpper, c);
    append_code_point(out, upper != nullptr ? shifted(*upper, c) : c);
  }
}

bool is_cased(char32_t c) {
  return find_range(kLowerLetters, c) != nullptr || find_range(kUpperLetters, c) != nullptr ||
         find_range(kTitleLetters, c) != nullptr;
}

/// Whether the sigma in text[start, end) stands at the end of a word.
bool ends_word(std::string_view text, std::size_t start, std::size_t end) {
  bool has_letter_before = false;
  while (start > 0) {
    do {
      --start;
    } while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xC0U) == 0x80U);
    std::size_t at = start;
    const char32_t c = next_code_point(text, at);
    if (find_range(kCaseIgnorable, c) != nullptr) continue;
    has_letter_before = is_cased(c);
    break;
  }
  if (!has_letter_before) return false;
  while (end < text.size()) {
    const char32_t c = next_code_point(text, end);
    if (find_range(kCaseIgnorable, c) == nullptr) return !is_cased(c);
  }
  return true;
}

/// The lower case of the code point in text[start, end).
void append_lower(std::string& out, std::string_view text, std::size_t start, std::size_t end, char32_t c) {
  constexpr char32_t kSigma = 0x3A3;
  if (c == 0x130) {  // capital I with a dot above: the only one that becomes two
    out += "i\xCC\x87";
  } else if (c == kSigma) {
    append_code_point(out, ends_word(text, start, end) ? 0x3C2 : 0x3C3);
  } else {
    const CaseRange* range = find_range(kToLower, c);
    append_code_point(out, range != nullptr ? shifted(*range, c) : c);
  }
}

char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
char ascii_upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}

}  // namespace

bool is_printable(char32_t c) {
  return find_range(kUnprintable, c) == nullptr;
}

LetterCase letter_case(char32_t c) {
  if (find_range(kLowerLetters, c) != nullptr) return LetterCase::lower;
  if (find_range(kUpperLetters, c) != nullptr) return LetterCase::upper;
  return find_range(kTitleLetters, c) != nullptr ? LetterCase::title : LetterCase::none;
}

std::string to_upper(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x80) {
      out += ascii_upper(text[at++]);
    } else {
      append_upper(out, next_code_point(text, at));
    }
  }
  return out;
}

std::string to_lower(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      out += ascii_lower(text[at++]);
      continue;
    }
    const std::size_t start = at;
    const char32_t c = next_code_point(text, at);
    append_lower(out, text, start, at, c);
  }
  return out;
}

std::string to_title(std::string_view text) {
  std::string out;
  bool is_in_word = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t start = at;
    const char32_t c = next_code_point(text, at);
    if (is_in_word) {
      append_lower(out, text, start, at, c);
    } else {
      append_title(out, c);
    }
    is_in_word = is_cased(c);
  }
  return out;
}

std::string to_capitalized(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t start = at;
    const char32_t c = next_code_point(text, at);
    if (start == 0) {
      append_title(out, c);
    } else {
      append_lower(out, text, start, at, c);
    }
  }
  return out;
}

}  // namespace refserver::jinja
