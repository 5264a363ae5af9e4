// What kind of character a code point is, exactly as Hugging Face's tokenizers sees it. One table look-up each.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace tokenizer {

class CodePoints {
 public:
  static constexpr std::uint8_t kLetter = 1;  ///< \p{L}
  static constexpr std::uint8_t kNumber = 2;  ///< \p{N}
  static constexpr std::uint8_t kSpace = 4;   ///< \s: Unicode's White_Space
  static constexpr std::uint8_t kWord = 8;    ///< \w, which decides whether an added token stands alone
  /// May change, move or merge with what stands before it under NFC: everything else is NFC already.
  static constexpr std::uint8_t kUnsettled = 16;

  /// The one table; built at the first call.
  static const CodePoints& table();

  /// The sum of the above for a code point up to U+10FFFF.
  std::uint8_t traits(char32_t point) const { return blocks_[block_of_[point >> 8U]][point & 0xFFU]; }

 private:
  using Block = std::array<std::uint8_t, 256>;
  CodePoints();

  std::array<std::uint8_t, 0x1100> block_of_{};  ///< equal blocks are kept once
  std::vector<Block> blocks_;
};

}  // namespace tokenizer
