// The lexical parts of JSON (RFC 8259) on a hot path: where a string ends, what is a number or a word. Each function is
// told where it stands and gives back the place behind what it read; null: that is not there. Internal to drive.
#pragma once

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <bit>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace loadgen::json_scan {

inline const char* skip_space(const char* at, const char* end) noexcept {
  if (at != end && *at > ' ') return at;  // nearly always
  while (at != end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) ++at;
  return at;
}

/// The first quote, backslash or control character from `at` on, or `end`; eight bytes at a time.
[[gnu::noinline]] inline const char* find_special_in_rest(const char* at, const char* end) noexcept {
  constexpr std::uint64_t ones = 0x0101010101010101U;
  constexpr std::uint64_t tops = 0x8080808080808080U;
  if constexpr (std::endian::native == std::endian::little) {
    for (; end - at >= 8; at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, at, sizeof word);
      // Classic byte tricks: the lowest byte they mark is always right, and only that one is used.
      const std::uint64_t quote = word ^ (ones * '"');
      const std::uint64_t backslash = word ^ (ones * '\\');
      const std::uint64_t found =
          (((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) | ((word - ones * 0x20) & ~word)) & tops;
      if (found != 0) return at + std::countr_zero(found) / 8;
    }
  }
  while (at != end && *at != '"' && *at != '\\' && static_cast<unsigned char>(*at) >= 0x20) ++at;
  return at;
}

/// The same, where it can sixteen at a time: most of an answer is text nobody asks for, and a key fits into sixteen.
inline const char* find_special(const char* at, const char* end) noexcept {
#ifdef __SSE2__
  for (; end - at >= 16; at += 16) {
    __m128i bytes;
    std::memcpy(&bytes, at, sizeof bytes);
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    const int found = _mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, backslash)));
    if (found != 0) return at + std::countr_zero(static_cast<unsigned>(found));
  }
#endif
  return find_special_in_rest(at, end);
}

/// At a backslash: its last character.
inline const char* skip_escape(const char* at, const char* end) noexcept {
  if (++at == end) return nullptr;
  if (std::string_view("\"\\/bfnrt").find(*at) != std::string_view::npos) return at;
  if (*at != 'u' || end - at < 5) return nullptr;
  for (int i = 0; i < 4; ++i) {
    if (std::isxdigit(static_cast<unsigned char>(*++at)) == 0) return nullptr;
  }
  return at;
}

/// A string without its quotes: escapes are checked and left in, its UTF-8 is not judged.
struct Text {
  std::string_view raw;
  bool has_escapes = false;
};

/// Goes on with a string at something special: escapes are checked until the quote that ends it is found, which is
/// given back.
[[gnu::noinline]] inline const char* skip_to_quote(const char* at, const char* end) noexcept {
  while (at != end && *at == '\\') {
    at = skip_escape(at, end);
    if (at == nullptr) return nullptr;
    at = find_special(at + 1, end);
    if (at != end && *at == '"') return at;
  }
  return nullptr;
}

inline const char* read_string(const char* at, const char* end, Text& text) noexcept {
  if (at == end || *at != '"') return nullptr;
  const char* const begin = ++at;
  at = find_special(at, end);
  text.has_escapes = at == end || *at != '"';
  if (text.has_escapes && (at = skip_to_quote(at, end)) == nullptr) return nullptr;
  text.raw = {begin, static_cast<std::size_t>(at - begin)};
  return at + 1;
}

/// `null`, `true` or `false`: a word whose length the compiler knows, so that this is one comparison and no call.
template <std::size_t size>
const char* read_word(const char* at, const char* end, const char (&word)[size]) noexcept {
  constexpr std::size_t length = size - 1;
  if (static_cast<std::size_t>(end - at) < length || std::memcmp(at, word, length) != 0) return nullptr;
  return at + length;
}

inline const char* skip_digits(const char* at, const char* end) noexcept {
  while (at != end && *at >= '0' && *at <= '9') ++at;
  return at;
}

/// What stands before a number's point, if it is a count that fits.
struct Count {
  std::uint32_t value = 0;
  bool fits = false;
};

inline const char* read_number(const char* at, const char* end, Count& count) noexcept {
  const bool is_negative = at != end && *at == '-';
  if (is_negative) ++at;
  const char* const digits = at;
  std::uint64_t value = 0;  // of more digits than any count has, it is not looked at
  for (; at != end && *at >= '0' && *at <= '9'; ++at) value = value * 10 + static_cast<std::uint64_t>(*at - '0');
  if (at == digits || (*digits == '0' && at - digits > 1)) return nullptr;
  count.fits = !is_negative && at - digits <= 10 && value <= UINT32_MAX;
  count.value = static_cast<std::uint32_t>(value);
  if (at != end && *at == '.') {
    const char* const fraction = ++at;
    if ((at = skip_digits(at, end)) == fraction) return nullptr;
  }
  if (at != end && (*at == 'e' || *at == 'E')) {
    if (++at != end && (*at == '+' || *at == '-')) ++at;
    const char* const exponent = at;
    if ((at = skip_digits(at, end)) == exponent) return nullptr;
  }
  return at;
}

}  // namespace loadgen::json_scan
