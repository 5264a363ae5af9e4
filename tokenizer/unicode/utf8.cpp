#include "tokenizer/unicode/utf8.hpp"

#include <cstring>

namespace tokenizer {
namespace {

/// What may follow a lead byte: how many bytes in all (0: not a lead byte), and the range of the second one.
struct Lead {
  std::size_t bytes = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
};

constexpr Lead lead_of(unsigned char byte) {
  if (byte >= 0xC2 && byte <= 0xDF) return {2};
  if (byte == 0xE0) return {3, 0xA0};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {3};
  if (byte == 0xF0) return {4, 0x90};
  if (byte >= 0xF1 && byte <= 0xF3) return {4};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {};
}

}  // namespace

Utf8Step utf8_step(std::string_view text, std::size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) return {Utf8::whole, 1};
  const Lead lead = lead_of(first);
  if (lead.bytes == 0) return {Utf8::invalid, 1};
  for (std::size_t i = 1; i < lead.bytes; ++i) {
    if (at + i == text.size()) return {Utf8::cut, i};
    const auto byte = static_cast<unsigned char>(text[at + i]);
    const bool good = i == 1 ? byte >= lead.low && byte <= lead.high : (byte & 0xC0U) == 0x80U;
    if (!good) return {Utf8::invalid, i};
  }
  return {Utf8::whole, lead.bytes};
}

namespace {

/// A character of the most frequent three-byte kind, whose lead byte allows any continuation bytes.
bool is_plain_three_bytes(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  return lead > 0xE0 && lead < 0xED && at + 2 < text.size() && is_continuation(text[at + 1]) &&
         is_continuation(text[at + 2]);
}

}  // namespace

std::size_t valid_utf8_size(std::string_view text) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080U;
  std::size_t at = 0;
  while (at < text.size()) {
    std::uint64_t block = 0;
    while (at + sizeof block <= text.size()) {
      std::memcpy(&block, text.data() + at, sizeof block);
      if ((block & kHighBits) != 0) break;
      at += sizeof block;
    }
    while (at < text.size() && is_plain_three_bytes(text, at)) at += 3;
    if (at == text.size()) break;
    const Utf8Step step = utf8_step(text, at);
    if (step.kind != Utf8::whole) return at;
    at += step.bytes;
  }
  return at;
}

std::string replace_invalid(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t valid = valid_utf8_size(text);
    out.append(text.substr(0, valid));
    text.remove_prefix(valid);
    if (text.empty()) break;
    out.append(kReplacement);
    text.remove_prefix(utf8_step(text, 0).bytes);
  }
  return out;
}

void append_utf8(char32_t point, std::string& out) {
  const auto put = [&out](char32_t byte) { out.push_back(static_cast<char>(static_cast<unsigned char>(byte))); };
  if (point < 0x80) return put(point);
  if (point < 0x800) {
    put(0xC0U | (point >> 6U));
  } else {
    if (point < 0x10000) {
      put(0xE0U | (point >> 12U));
    } else {
      put(0xF0U | (point >> 18U));
      put(0x80U | ((point >> 12U) & 0x3FU));
    }
    put(0x80U | ((point >> 6U) & 0x3FU));
  }
  put(0x80U | (point & 0x3FU));
}

}  // namespace tokenizer
