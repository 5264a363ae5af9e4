// Cutting and searching UTF-8 the way Python's str does.
#include "refserver/chat/jinja/text.hpp"

#include <algorithm>

namespace refserver::jinja {
namespace {

bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

/// Start of the code point that ends at `at` (`at` > 0).
std::size_t previous_start(std::string_view text, std::size_t at) {
  do {
    --at;
  } while (at > 0 && is_continuation(text[at]));
  return at;
}

/// Strips while `is_stripped` says so of the code point at an end.
template <class Predicate>
std::string_view strip_if(std::string_view text, Sides sides, Predicate is_stripped) {
  if (sides != Sides::right) {
    std::size_t at = 0;
    while (at < text.size()) {
      std::size_t next = at;
      if (!is_stripped(next_code_point(text, next))) break;
      at = next;
    }
    text.remove_prefix(at);
  }
  if (sides != Sides::left) {
    while (!text.empty()) {
      const std::size_t start = previous_start(text, text.size());
      std::size_t at = start;
      if (!is_stripped(next_code_point(text, at))) break;
      text = text.substr(0, start);
    }
  }
  return text;
}

bool is_line_end(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

/// End of the run from `at` of code points that are (or are not) white space.
std::size_t run_end(std::string_view text, std::size_t at, bool of_space) {
  while (at < text.size()) {
    std::size_t next = at;
    if (is_space(next_code_point(text, next)) != of_space) break;
    at = next;
  }
  return at;
}

}  // namespace

bool is_ascii(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return static_cast<signed char>(c) < 0; });
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xC2 ? 0
                               : lead < 0xE0 ? 2
                               : lead < 0xF0 ? 3
                               : lead < 0xF5 ? 4
                                             : 0;
    if (length == 0 || at + length > text.size()) return false;
    for (std::size_t i = 1; i < length; ++i) {
      if (!is_continuation(text[at + i])) return false;
    }
    const auto second = length > 1 ? static_cast<unsigned char>(text[at + 1]) : 0U;
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F)) return false;  // overlong, surrogates
    if ((lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) return false;  // overlong, beyond U+10FFFF
    at += length;
  }
  return true;
}

char32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at++]);
  if (lead < 0x80) return lead;
  const unsigned length = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
  char32_t code_point = lead & (0x3FU >> length);
  for (unsigned i = 0; i < length && at < text.size(); ++i) {
    code_point = (code_point << 6U) | (static_cast<unsigned char>(text[at++]) & 0x3FU);
  }
  return code_point;
}

void append_code_point(std::string& out, char32_t c) {
  const auto tail = [&](unsigned shift) { out += static_cast<char>(0x80U | ((c >> shift) & 0x3FU)); };
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0U | (c >> 6U));
    tail(0);
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0U | (c >> 12U));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xF0U | (c >> 18U));
    tail(12);
    tail(6);
    tail(0);
  }
}

std::size_t count_code_points(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
}

std::size_t byte_position(std::string_view text, std::size_t n) {
  std::size_t at = 0;
  while (n > 0 && at < text.size()) {
    next_code_point(text, at);
    --n;
  }
  return at;
}

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

std::string_view strip(std::string_view text, Sides sides) {
  return strip_if(text, sides, is_space);
}

std::string_view strip(std::string_view text, Sides sides, std::string_view characters) {
  return strip_if(text, sides, [&](char32_t wanted) {
    for (std::size_t at = 0; at < characters.size();) {
      if (next_code_point(characters, at) == wanted) return true;
    }
    return false;
  });
}

std::vector<std::string_view> split(std::string_view text, std::int64_t limit) {
  std::vector<std::string_view> parts;
  std::size_t at = run_end(text, 0, true);
  while (at < text.size()) {
    if (limit >= 0 && static_cast<std::int64_t>(parts.size()) >= limit) {
      parts.push_back(text.substr(at));
      break;
    }
    const std::size_t end = run_end(text, at, false);
    parts.push_back(text.substr(at, end - at));
    at = run_end(text, end, true);
  }
  return parts;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separator, std::int64_t limit) {
  std::vector<std::string_view> parts;
  std::size_t at = 0;
  while (limit < 0 || static_cast<std::int64_t>(parts.size()) < limit) {
    const std::size_t end = text.find(separator, at);
    if (end == std::string_view::npos) break;
    parts.push_back(text.substr(at, end - at));
    at = end + separator.size();
  }
  parts.push_back(text.substr(at));
  return parts;
}

std::vector<std::string_view> split_from_right(std::string_view text, std::int64_t limit) {
  std::vector<std::string_view> words = split(text, -1);
  const auto cuts = static_cast<std::size_t>(limit);
  if (limit < 0 || words.size() <= cuts) return words;
  // What is left of the last `limit` words stays one piece, with the white space before and inside it.
  const char* end = words[words.size() - cuts - 1].data() + words[words.size() - cuts - 1].size();
  std::vector<std::string_view> parts{text.substr(0, static_cast<std::size_t>(end - text.data()))};
  parts.insert(parts.end(), words.end() - static_cast<std::ptrdiff_t>(cuts), words.end());
  return parts;
}

std::vector<std::string_view> split_from_right(std::string_view text, std::string_view separator, std::int64_t limit) {
  std::vector<std::string_view> parts;
  while (limit < 0 || static_cast<std::int64_t>(parts.size()) < limit) {
    const std::size_t at = text.rfind(separator);
    if (at == std::string_view::npos) break;
    parts.push_back(text.substr(at + separator.size()));
    text = text.substr(0, at);
  }
  parts.push_back(text);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> split_lines(std::string_view text, LineEnds ends) {
  std::vector<std::string_view> lines;
  std::size_t start = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = at;
    if (!is_line_end(next_code_point(text, at))) continue;
    if (text[end] == '\r' && at < text.size() && text[at] == '\n') ++at;
    lines.push_back(text.substr(start, (ends == LineEnds::keep ? at : end) - start));
    start = at;
  }
  if (start < text.size()) lines.push_back(text.substr(start));
  return lines;
}

namespace {

/// `by` before each of the first `limit` characters, and at the end if there were fewer.
std::string put_between(std::string_view text, std::string_view by, std::int64_t limit) {
  std::string out;
  std::size_t at = 0;
  for (; at < text.size() && limit != 0; --limit) {
    const std::size_t start = at;
    next_code_point(text, at);
    out += by;
    out += text.substr(start, at - start);
  }
  if (limit != 0 && at == text.size()) out += by;
  return out += text.substr(at);
}

}  // namespace

std::string replace_all(std::string_view text, std::string_view old, std::string_view by, std::int64_t limit) {
  if (old.empty()) return put_between(text, by, limit);
  std::string out;
  std::size_t at = 0;
  for (; limit != 0; --limit) {
    const std::size_t found = text.find(old, at);
    if (found == std::string_view::npos) break;
    out += text.substr(at, found - at);
    out += by;
    at = found + old.size();
  }
  return out += text.substr(at);
}

std::size_t count_occurrences(std::string_view text, std::string_view part) {
  if (part.empty()) return count_code_points(text) + 1;
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '"':
        out += "&#34;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace refserver::jinja
