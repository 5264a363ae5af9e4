#include "loadgen/export/terminal_text.hpp"

#include <algorithm>

namespace loadgen {
namespace {

struct Character {
  char32_t code = 0;
  std::size_t bytes = 1;
};

/// The character at the start of a non-empty text; a stray byte is a character of its own.
Character first_character(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t bytes = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  if (bytes == 1 || bytes > text.size()) return {lead, 1};
  char32_t code = lead & (0xFFu >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xC0) != 0x80) return {lead, 1};
    code = code << 6 | (next & 0x3F);
  }
  return {code, bytes};
}

std::size_t columns_of(char32_t code) {
  const auto in = [code](char32_t from, char32_t to) { return code >= from && code <= to; };
  if (in(0x300, 0x36F) || in(0x200B, 0x200F) || in(0xFE00, 0xFE0F)) return 0;
  const bool wide = in(0x1100, 0x115F) || in(0x2E80, 0xA4CF) || in(0xAC00, 0xD7A3) || in(0xF900, 0xFAFF) ||
                    in(0xFE30, 0xFE6F) || in(0xFF00, 0xFF60) || in(0xFFE0, 0xFFE6) || in(0x1F300, 0x1FAFF) ||
                    in(0x20000, 0x3FFFD);
  return wide ? 2 : 1;
}

bool is_control(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0);
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const Character next = first_character(text);
    columns += columns_of(next.code);
    text.remove_prefix(next.bytes);
  }
  return columns;
}

std::string cut_to_width(std::string_view text, std::size_t columns) {
  if (display_width(text) <= columns) return std::string(text);
  if (columns == 0) return "";
  std::size_t used = 0;
  std::size_t bytes = 0;
  while (bytes < text.size()) {
    const Character next = first_character(text.substr(bytes));
    if (used + columns_of(next.code) > columns - 1) break;
    used += columns_of(next.code);
    bytes += next.bytes;
  }
  return std::string(text.substr(0, bytes)) + "…";
}

std::string without_controls(std::string_view text) {
  std::string clean;
  while (!text.empty()) {
    const Character next = first_character(text);
    const bool stray = next.bytes == 1 && next.code >= 0x80;
    if (is_control(next.code) || stray) {
      clean += '?';
    } else {
      clean += text.substr(0, next.bytes);
    }
    text.remove_prefix(next.bytes);
  }
  return clean;
}

std::string wrap_text(std::string_view text, std::size_t columns, std::size_t indent) {
  std::string out;
  std::size_t used = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t width = display_width(word);
    if (used > 0 && used + 1 + width > columns) {
      out += '\n' + std::string(indent, ' ');
      used = 0;
    } else if (used > 0) {
      out += ' ';
      ++used;
    }
    out += word;
    used += width;
  }
  return out;
}

std::string pad_right(std::string_view text, std::size_t columns) {
  std::string padded = cut_to_width(text, columns);
  padded.append(columns - display_width(padded), ' ');
  return padded;
}

std::string pad_left(std::string_view text, std::size_t columns) {
  const std::string cut = cut_to_width(text, columns);
  return std::string(columns - display_width(cut), ' ') + cut;
}

}  // namespace loadgen
