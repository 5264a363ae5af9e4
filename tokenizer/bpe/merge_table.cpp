#include "tokenizer/bpe/merge_table.hpp"

#include <bit>

namespace tokenizer {

MergeTable::MergeTable(std::size_t count) : mask_(std::bit_ceil(2 * count + 2) - 1), slots_(mask_ + 1, kFree) {
  shift_ = 64U - static_cast<unsigned>(std::popcount(mask_));
  merged_.reserve(count);
}

void MergeTable::add(std::uint32_t left, std::uint32_t right, std::uint32_t merged) {
  const std::uint64_t key = key_of(left, right);
  std::size_t at = place_of(key);
  while (slots_[at] != kFree && slots_[at] >> kRankBits != key) at = (at + 1) & mask_;
  slots_[at] = (key << kRankBits) | merged_.size();
  merged_.push_back(merged);
}

}  // namespace tokenizer
