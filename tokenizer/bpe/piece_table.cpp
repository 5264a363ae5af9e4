#include "tokenizer/bpe/piece_table.hpp"

#include <algorithm>
#include <bit>

namespace tokenizer {

PieceTable::PieceTable(std::size_t count) : mask_(std::bit_ceil(count + count / 2 + 2) - 1), slots_(mask_ + 1) {}

bool PieceTable::insert(std::uint32_t id, const TokenTable& tokens) {
  const std::string_view key = tokens.bytes(id);
  longest_ = std::max(longest_, key.size());
  if (slot_of(key, tokens)) return false;
  const std::uint64_t first = first_bytes(key);
  std::size_t at = hash(key, first) & mask_;
  while (slots_[at].id != kFree) at = (at + 1) & mask_;
  slots_[at] = {first, id, static_cast<std::uint32_t>(key.size())};
  return true;
}

void PieceTable::mark(std::uint32_t id, std::uint32_t uses, const TokenTable& tokens) {
  // The slot is ours; slot_of is const for the readers' sake.
  const Slot* const slot = slot_of(tokens.bytes(id), tokens);
  if (slot) slots_[static_cast<std::size_t>(slot - slots_.data())].size |= uses;
}

}  // namespace tokenizer
