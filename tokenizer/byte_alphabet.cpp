#include "tokenizer/byte_alphabet.hpp"

#include <array>
#include <cstdint>

#include "tokenizer/unicode/utf8.hpp"

namespace tokenizer {
namespace {

constexpr std::size_t kLetters = 0x144;  // the last one is U+0143

/// Printable Latin-1 bytes stand for themselves, the other 68 are U+0100 and on, in their order.
constexpr bool stands_for_itself(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xFF && byte != 0xAD);
}

struct Alphabet {
  std::array<char16_t, 256> letter_of{};
  std::array<std::int16_t, kLetters> byte_of{};  ///< -1: not of the alphabet

  constexpr Alphabet() {
    byte_of.fill(-1);
    char16_t next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) {
      letter_of[byte] = stands_for_itself(byte) ? static_cast<char16_t>(byte) : next++;
      byte_of[letter_of[byte]] = static_cast<std::int16_t>(byte);
    }
  }
};
constexpr Alphabet kAlphabet;
static_assert(kAlphabet.byte_of[kLetters - 1] == 0xAD);

}  // namespace

bool append_spelled_bytes(std::string_view written, std::string& out) {
  const std::size_t before = out.size();
  for (std::size_t at = 0; at < written.size();) {
    const Utf8Point point = utf8_point(&written[at]);
    const std::int16_t byte = point.code < kLetters ? kAlphabet.byte_of[point.code] : std::int16_t{-1};
    if (byte < 0) {
      out.resize(before);
      return false;
    }
    out.push_back(static_cast<char>(byte));
    at += point.bytes;
  }
  return true;
}

std::string spell_bytes(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) append_utf8(kAlphabet.letter_of[static_cast<unsigned char>(byte)], out);
  return out;
}

}  // namespace tokenizer
