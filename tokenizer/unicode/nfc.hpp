// Unicode normalisation form C as Hugging Face's tokenizers computes it, with the bytes each result stands for.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tokenizer {

/// Bytes [start, stop) of a text.
struct ByteRange {
  std::size_t start = 0;
  std::size_t stop = 0;
};

/// Where the code point before the first unsettled one starts (0 if the text starts unsettled); text.size() if the
/// text is in form C as far as one look at each code point can tell. `text` is valid UTF-8.
std::size_t settled_size(std::string_view text);

/// Form C of valid UTF-8 in `out`. `origin`, if given, gets one range per byte of `out`: the bytes of `text` that the
/// library says it stands for, which for a composed character are those of its first part alone.
/// O(n log n) whatever the text holds.
void normalize_nfc(std::string_view text, std::string& out, std::vector<ByteRange>* origin = nullptr);

}  // namespace tokenizer
