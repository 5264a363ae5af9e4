// UTF-8 by the code point: how long, how valid, and what stands for bytes that are not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tokenizer {

/// U+FFFD in UTF-8: stands for each maximal part of bytes that cannot be a character.
inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

enum class Utf8 : std::uint8_t {
  whole,    ///< a code point
  invalid,  ///< a maximal part that no further byte could make a code point of
  cut,      ///< the text ends within what could have become a code point
};

struct Utf8Step {
  Utf8 kind = Utf8::whole;
  std::size_t bytes = 1;
};

/// What starts at text[at] (at < text.size()), by the Unicode standard's rule of maximal subparts.
Utf8Step utf8_step(std::string_view text, std::size_t at);

/// Where the first byte is that does not belong to valid UTF-8; text.size() if there is none.
std::size_t valid_utf8_size(std::string_view text);

/// The same text with U+FFFD for each maximal invalid part.
std::string replace_invalid(std::string_view text);

void append_utf8(char32_t point, std::string& out);

/// The length in bytes of the code point that starts with `lead`, in valid UTF-8.
constexpr std::size_t utf8_size(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// True for the second and later bytes of a code point.
constexpr bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

/// The code point at `at`, which must be valid UTF-8, and its length.
struct Utf8Point {
  char32_t code;
  std::uint32_t bytes;
};
inline Utf8Point utf8_point(const char* at) {
  const auto byte = [at](int i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(at[i])); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xE0) return {((lead & 0x1FU) << 6U) | (byte(1) & 0x3FU), 2};
  if (lead < 0xF0) return {((lead & 0xFU) << 12U) | ((byte(1) & 0x3FU) << 6U) | (byte(2) & 0x3FU), 3};
  return {((lead & 7U) << 18U) | ((byte(1) & 0x3FU) << 12U) | ((byte(2) & 0x3FU) << 6U) | (byte(3) & 0x3FU), 4};
}

}  // namespace tokenizer
