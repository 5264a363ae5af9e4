#include "tokenizer/unicode/code_points.hpp"

#include <algorithm>
#include <cassert>

#include "tokenizer/unicode/unicode_data.hpp"

namespace tokenizer {
namespace {

constexpr char32_t kLastHangulJamo = 0x11C2;

void mark(std::vector<std::uint8_t>& traits, char32_t first, char32_t last, std::uint8_t bits) {
  for (char32_t c = first; c <= last; ++c) traits[c] = static_cast<std::uint8_t>(traits[c] | bits);
}

/// Those that NFC replaces, those that are reordered, and those that merge with what stands before them.
void mark_unsettled(std::vector<std::uint8_t>& traits) {
  std::vector<char32_t> composed;
  for (const auto& pair : unicode_data::compositions()) {
    composed.push_back(pair.composed);
    mark(traits, pair.second, pair.second, CodePoints::kUnsettled);
  }
  std::sort(composed.begin(), composed.end());
  for (const auto& range : unicode_data::combining_classes()) {
    mark(traits, range.first, range.last, CodePoints::kUnsettled);
  }
  mark(traits, 0x1161, kLastHangulJamo, CodePoints::kUnsettled);  // vowels and finals join the syllable before them
  const auto flat = unicode_data::decompositions();
  for (std::size_t i = 0; i < flat.size(); i += 2 + flat[i + 1]) {
    const bool comes_back = std::binary_search(composed.begin(), composed.end(), flat[i]);
    const bool starts_unsettled = (traits[flat[i + 2]] & CodePoints::kUnsettled) != 0;
    if (!comes_back || starts_unsettled) mark(traits, flat[i], flat[i], CodePoints::kUnsettled);
  }
}

}  // namespace

const CodePoints& CodePoints::table() {
  static const CodePoints table;
  return table;
}

CodePoints::CodePoints() {
  std::vector<std::uint8_t> traits(0x110000, 0);
  for (const auto& range : unicode_data::classes()) mark(traits, range.first, range.last, range.value);
  mark_unsettled(traits);
  for (std::size_t block = 0; block < block_of_.size(); ++block) {
    Block content{};
    std::copy_n(traits.begin() + static_cast<std::ptrdiff_t>(block * content.size()), content.size(), content.begin());
    const auto known = std::find(blocks_.begin(), blocks_.end(), content);
    block_of_[block] = static_cast<std::uint8_t>(known - blocks_.begin());
    if (known == blocks_.end()) blocks_.push_back(content);
  }
  assert(blocks_.size() <= 256);
}

}  // namespace tokenizer
