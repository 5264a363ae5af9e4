// Which two neighbouring tokens merge into which, and in which order of preference.
#pragma once

#include <cstdint>
#include <vector>

namespace tokenizer {

/// Open addressing, at most two thirds full; a slot is one word: left id, right id (21 bits each) and rank (22 bits).
class MergeTable {
 public:
  static constexpr std::uint32_t kNoRank = 0xFFFFFFFFU;

  /// Room for `count` merges.
  explicit MergeTable(std::size_t count = 0);

  /// The next rank. Ids are below 2^21, ranks below 2^22 - 1. Of a pair that is added twice the later rank counts.
  void add(std::uint32_t left, std::uint32_t right, std::uint32_t merged);

  /// Lower ranks merge first; kNoRank if the two do not merge.
  std::uint32_t rank(std::uint32_t left, std::uint32_t right) const {
    const std::uint64_t key = key_of(left, right);
    for (std::size_t at = place_of(key);; at = (at + 1) & mask_) {
      const std::uint64_t slot = slots_[at];
      if (slot == kFree) return kNoRank;
      if (slot >> kRankBits == key) return static_cast<std::uint32_t>(slot & kRankMask);
    }
  }
  std::uint32_t merged(std::uint32_t rank) const { return merged_[rank]; }

 private:
  static constexpr unsigned kIdBits = 21;
  static constexpr unsigned kRankBits = 22;
  static constexpr std::uint64_t kRankMask = (std::uint64_t{1} << kRankBits) - 1;
  static constexpr std::uint64_t kFree = ~std::uint64_t{0};

  static std::uint64_t key_of(std::uint32_t left, std::uint32_t right) {
    return (std::uint64_t{left} << kIdBits) | right;
  }
  std::size_t place_of(std::uint64_t key) const { return (key * 0x9E3779B97F4A7C15U) >> shift_; }

  unsigned shift_ = 0;
  std::size_t mask_ = 0;
  std::vector<std::uint64_t> slots_;
  std::vector<std::uint32_t> merged_;  ///< by rank
};

}  // namespace tokenizer
