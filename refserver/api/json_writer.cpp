// Runs of plain bytes are copied at once; only what needs it is escaped.
#include "refserver/api/json_writer.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace refserver {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

/// The letter after the backslash, 'u' for a hex escape, 0 for a byte that needs none.
constexpr std::array<char, 256> make_escapes() {
  std::array<char, 256> table{};
  for (std::size_t c = 0; c < 0x20; ++c) table[c] = 'u';
  table['\n'] = 'n', table['\r'] = 'r', table['\t'] = 't', table['\b'] = 'b', table['\f'] = 'f';
  table['"'] = '"', table['\\'] = '\\';
  return table;
}
constexpr std::array<char, 256> kEscapes = make_escapes();

template <class Float>
void append_float(Float value, Float smallest_plain, Float first_scientific, std::string& out) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  const Float size = std::abs(value);
  const bool plain = size == 0 || (size >= smallest_plain && size < first_scientific);
  std::array<char, 64> digits{};
  const auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
  const auto [end, ec] = std::to_chars(digits.data(), digits.data() + digits.size(), value, format);
  const std::string_view text(digits.data(), static_cast<std::size_t>(end - digits.data()));
  if (plain) {
    out += text;
    if (text.find('.') == std::string_view::npos) out += ".0";
    return;
  }
  // to_chars writes e-07 and e+38; JSON output has e-7 and e38.
  const std::size_t e = text.find('e');
  out += text.substr(0, e + 1);
  if (text[e + 1] == '-') out += '-';
  std::string_view exponent = text.substr(e + 2);
  while (exponent.size() > 1 && exponent.front() == '0') exponent.remove_prefix(1);
  out += exponent;
}

}  // namespace

void append_json_string(std::string_view text, std::string& out) {
  out += '"';
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const char escape = kEscapes[byte];
    if (escape == 0) continue;
    out.append(text.substr(start, i - start));
    start = i + 1;
    out += '\\';
    out += escape;
    if (escape == 'u') {
      out += "00";
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    }
  }
  out.append(text.substr(start));
  out += '"';
}

std::string replace_invalid_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[at + i]); };
    const unsigned char first = byte(0);
    const std::size_t length = first < 0x80   ? 1
                               : first < 0xC2 ? 0
                               : first < 0xE0 ? 2
                               : first < 0xF0 ? 3
                               : first < 0xF5 ? 4
                                              : 0;
    // The second byte has a narrower range after some first bytes: no overlong forms, no surrogates.
    const unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    std::size_t valid = length == 0 ? 0 : 1;
    while (valid > 0 && valid < length && at + valid < bytes.size()) {
      const unsigned char next = byte(valid);
      if (next < (valid == 1 ? low : 0x80) || next > (valid == 1 ? high : 0xBF)) break;
      ++valid;
    }
    if (valid == length && length > 0) {
      out += bytes.substr(at, length);
    } else {
      out += "\xEF\xBF\xBD";
    }
    at += std::max<std::size_t>(valid, 1);
  }
  return out;
}

void append_f32(float value, std::string& out) {
  append_float(value, 1e-6F, 1e13F, out);
}

void append_f64(double value, std::string& out) {
  append_float(value, 1e-5, 1e16, out);
}

std::string quoted_debug(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '"':
        out += "\\\"";
        continue;
      case '\\':
        out += "\\\\";
        continue;
      case '\n':
        out += "\\n";
        continue;
      case '\r':
        out += "\\r";
        continue;
      case '\t':
        out += "\\t";
        continue;
      default:
        break;
    }
    if (byte >= 0x20 && byte != 0x7F) {
      out += c;
    } else {
      out += "\\u{";
      if (byte >= 16) out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
      out += '}';
    }
  }
  return out + "\"";
}

}  // namespace refserver
