// Splits UTF-8 text into units: a deterministic stand-in for token counts where no model's tokenizer is loaded.
// Units are not any model's tokens; they only grow with the text the way tokens do. Knows no vocabulary.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace tokenizer {

/// Rules, applied left to right; the units of a text joined together are the text, byte for byte:
///  - a word: up to 16 letters (every non-ASCII letter counts as one), with the one space before it;
///  - a number: up to 3 ASCII digits, with the one space before it;
///  - one CJK character, kana, Hangul syllable, full-width sign or symbol above U+1F000, each alone;
///  - one punctuation mark, with the one space before it;
///  - a run of white space that is not such a leading space;
///  - one byte that is not part of valid UTF-8.
std::vector<std::string_view> split_units(std::string_view text);

/// The number of units `split_units` gives, without storing them.
std::size_t count_units(std::string_view text);

/// The last `count` units of the text (all of it if it has fewer).
std::string_view last_units(std::string_view text, std::size_t count);

}  // namespace tokenizer
