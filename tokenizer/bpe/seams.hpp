// Places in a piece that no token reaches across. Merging on one side of such a seam cannot touch the other, so the
// parts may be encoded each for itself: long runs of Chinese become words of one or two characters that are tokens
// already.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tokenizer {

/// A set of contexts: up to three bytes on either side of a place within a token. Only places before the first byte of
/// a non-ASCII character are looked at. May hold a context too many (fingerprints collide), never one too few: then a
/// seam is missed, and the result is the same.
class Seams {
 public:
  /// Adds a token that merging may lead to. Call finish after the last one.
  void add_token(std::string_view token);
  void finish();

  static constexpr bool is_place(char byte) { return static_cast<unsigned char>(byte) >= 0xC2; }
  /// True if none of the tokens stands on both sides of piece[at], where is_place holds and at > 0.
  bool is_seam(std::string_view piece, std::size_t at) const {
    if (piece.size() - at >= 2 && !may_reach_.test(rough_place(piece[at - 1], piece[at], piece[at + 1]))) return true;
    for (std::size_t l = std::min<std::size_t>(at, kReach); l > 0; --l) {
      for (std::size_t r = std::min<std::size_t>(piece.size() - at, kReach); r > 0; --r) {
        if (has(context_of(piece.data() + at, l, r))) return false;
      }
    }
    return true;
  }

 private:
  static constexpr std::size_t kReach = 3;

  /// Bits by a hash of the byte before a place and the two after it: rules most places out, and fits the nearest cache.
  class Filter {
   public:
    void set(std::uint32_t place) { words_[place / 64] |= std::uint64_t{1} << (place % 64); }
    bool test(std::uint32_t place) const { return ((words_[place / 64] >> (place % 64)) & 1U) != 0; }

   private:
    std::array<std::uint64_t, 4096> words_{};
  };

  static std::uint32_t rough_place(char before, char first, char second) {
    const std::uint32_t bytes = (byte_of(before) << 16U) | (byte_of(first) << 8U) | byte_of(second);
    return (bytes * 0x9E3779B1U) >> 14U;
  }
  static std::uint32_t byte_of(char byte) { return static_cast<unsigned char>(byte); }
  /// The l bytes before `place` and the r bytes from there, and how many they are.
  static std::uint64_t context_of(const char* place, std::size_t l, std::size_t r) {
    std::uint64_t bytes = (l << 2U) | r;
    for (std::size_t i = l; i > 0; --i) bytes = (bytes << 8U) | byte_of(*(place - i));
    for (std::size_t i = 0; i < r; ++i) bytes = (bytes << 8U) | byte_of(place[i]);
    return bytes * 0x9E3779B97F4A7C15U;
  }
  /// Never 0, which marks free slots.
  static std::uint16_t print_of(std::uint64_t context) { return static_cast<std::uint16_t>((context >> 16U) | 1U); }
  bool has(std::uint64_t context) const {
    const std::uint16_t print = print_of(context);
    for (std::size_t at = context >> shift_;; at = (at + 1) & mask_) {
      if (prints_[at] == print) return true;
      if (prints_[at] == 0) return false;
    }
  }

  std::vector<std::uint64_t> contexts_;  ///< until finish
  Filter may_reach_;
  unsigned shift_ = 63;
  std::size_t mask_ = 1;
  std::vector<std::uint16_t> prints_ = {0, 0};
};

}  // namespace tokenizer
