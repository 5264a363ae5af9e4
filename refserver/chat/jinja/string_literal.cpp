// Python's escapes in text literals: \n \x41 \u4f60 \101 and the rest. An unknown one stays as it is written.
#include "refserver/chat/jinja/string_literal.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdint>

#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/text.hpp"

namespace refserver::jinja {
namespace {

constexpr std::string_view kPlainEscapes = "\\'\"abfnrtv";
constexpr std::string_view kPlainValues = "\\'\"\a\b\f\n\r\t\v";

/// Reads `digits` hexadecimal digits at `at`, moving past them.
char32_t read_hex(std::string_view text, std::size_t& at, std::size_t digits, int line) {
  std::uint32_t value = 0;
  const std::string_view part = text.substr(at, digits);
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value, 16);
  if (part.size() < digits || error != std::errc() || end != part.data() + part.size()) {
    throw Failure(fmt::format("a \\ in a text needs {} hexadecimal digits", digits), line);
  }
  if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
    throw Failure(fmt::format("a text holds U+{:X}, which is not a character", value), line);
  }
  at += digits;
  return value;
}

char32_t read_octal(std::string_view text, std::size_t& at) {
  char32_t value = 0;
  for (int i = 0; i < 3 && at < text.size() && text[at] >= '0' && text[at] <= '7'; ++i) {
    value = value * 8 + static_cast<char32_t>(text[at++] - '0');
  }
  return value;
}

/// The escape whose letter is at `at`, which is moved past it.
void append_escape(std::string& out, std::string_view text, std::size_t& at, int line) {
  const char letter = text[at];
  const std::size_t plain = kPlainEscapes.find(letter);
  if (plain != std::string_view::npos) {
    out += kPlainValues[plain];
    ++at;
  } else if (letter == '\n') {
    ++at;  // a line joined to the next one
  } else if (letter >= '0' && letter <= '7') {
    append_code_point(out, read_octal(text, at));
  } else if (letter == 'x' || letter == 'u' || letter == 'U') {
    ++at;
    append_code_point(out, read_hex(text, at, letter == 'x' ? 2 : letter == 'u' ? 4 : 8, line));
  } else if (letter == 'N') {
    throw Failure("\\N{...} in a text is not supported", line);
  } else if (static_cast<unsigned char>(letter) < 0x80) {
    out += '\\';
    out += letter;
    ++at;
  } else {
    // Jinja turns the character into an escape of its own first, and the backslash before it takes that apart.
    const auto c = static_cast<unsigned>(next_code_point(text, at));
    out += c < 0x100     ? fmt::format("\\x{:02x}", c)
           : c < 0x10000 ? fmt::format("\\u{:04x}", c)
                         : fmt::format("\\U{:08x}", c);
  }
}

}  // namespace

std::string read_string_literal(std::string_view inside, int line) {
  std::string out;
  for (std::size_t at = 0; at < inside.size();) {
    if (inside[at] != '\\') {
      out += inside[at++];
    } else if (++at < inside.size()) {
      append_escape(out, inside, at, line);
    }
  }
  return out;
}

}  // namespace refserver::jinja
