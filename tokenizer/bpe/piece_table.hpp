// Byte strings to ids in about one cache line: where most pieces of ordinary text end, being tokens as they stand.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "tokenizer/bpe/token_table.hpp"

namespace tokenizer {

/// Open addressing, at most two thirds full. A slot holds the first 8 bytes of its key; longer keys are compared in
/// `tokens`.
class PieceTable {
 public:
  /// Room for `count` keys.
  explicit PieceTable(std::size_t count = 0);

  /// Makes `tokens.bytes(id)`, not empty, lead to `id`. False if the key is there already.
  bool insert(std::uint32_t id, const TokenTable& tokens);
  /// How a key may be used without merging its bytes.
  static constexpr std::uint32_t kMerged = 1U
                                           << 30U;  ///< merging leads to it, in any surroundings that do not interfere
  static constexpr std::uint32_t kWhole = 1U << 31U;  ///< it may stand for a piece that consists of it
  /// From now on find_marked finds this key for these uses.
  void mark(std::uint32_t id, std::uint32_t uses, const TokenTable& tokens);

  std::optional<std::uint32_t> find(std::string_view key, const TokenTable& tokens) const {
    const Slot* const slot = slot_of(key, tokens);
    return slot ? std::optional(slot->id) : std::nullopt;
  }
  /// Only keys that are marked for this use.
  std::optional<std::uint32_t> find_marked(std::string_view key, std::uint32_t use, const TokenTable& tokens) const {
    const Slot* const slot = slot_of(key, tokens);
    return slot && (slot->size & use) != 0 ? std::optional(slot->id) : std::nullopt;
  }

 private:
  static constexpr std::uint32_t kFree = 0xFFFFFFFFU;
  static constexpr std::uint32_t kSizeMask = kMerged - 1;
  struct Slot {
    std::uint64_t first_bytes = 0;
    std::uint32_t id = kFree;
    std::uint32_t size = 0;  ///< of the key, and its uses
  };

  static std::uint64_t load8(const char* at) {
    std::uint64_t value = 0;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  static std::uint64_t load4(const char* at) {
    std::uint32_t value = 0;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  /// The first 8 bytes, zeros after the end; key is not empty.
  static std::uint64_t first_bytes(std::string_view key) {
    const std::size_t n = key.size();
    if (n >= 8) return load8(key.data());
    if (n >= 4) return load4(key.data()) | (load4(key.data() + n - 4) << ((n - 4) * 8U));
    const auto byte = [&key](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(key[i])} << (i * 8U); };
    return byte(0) | byte(n / 2) | byte(n - 1);
  }
  static std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = Wide{a} * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
  }
  static std::uint64_t hash(std::string_view key, std::uint64_t first) {
    constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15U;
    std::uint64_t h = mix(first ^ kOdd, kOdd + key.size());
    if (key.size() <= 8) return h;
    for (std::size_t at = 8; at + 8 < key.size(); at += 8) h = mix(h ^ load8(key.data() + at), kOdd);
    return mix(h ^ load8(key.data() + key.size() - 8), kOdd);
  }

  const Slot* slot_of(std::string_view key, const TokenTable& tokens) const {
    if (key.size() > longest_) return nullptr;
    const std::uint64_t first = first_bytes(key);
    for (std::size_t at = hash(key, first) & mask_;; at = (at + 1) & mask_) {
      const Slot& slot = slots_[at];
      if (slot.id == kFree) return nullptr;
      if (slot.first_bytes != first || (slot.size & kSizeMask) != key.size()) continue;
      if (key.size() <= 8 || std::memcmp(tokens.bytes(slot.id).data() + 8, key.data() + 8, key.size() - 8) == 0) {
        return &slot;
      }
    }
  }

  std::size_t longest_ = 0;
  std::size_t mask_ = 0;
  std::vector<Slot> slots_;
};

}  // namespace tokenizer
