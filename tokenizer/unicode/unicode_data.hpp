// What Hugging Face's tokenizers does with each code point, as data: generate.py writes unicode_data.cpp from the
// library's own behaviour. Only code_points.cpp and nfc.cpp read it.
#pragma once

#include <span>

namespace tokenizer::unicode_data {

/// A value for all code points from `first` to `last`.
struct ClassRange {
  char32_t first;
  char32_t last;
  unsigned char value;
};

/// `first` followed by `second` is written `composed` in NFC.
struct Composition {
  char32_t first;
  char32_t second;
  char32_t composed;
};

/// Values are sums of 1 letter (\p{L}), 2 number (\p{N}), 4 white space (\s), 8 word character (\w). Sorted.
std::span<const ClassRange> classes();
/// Canonical combining classes that are not 0. Sorted.
std::span<const ClassRange> combining_classes();
/// A flat list: a code point, how many it decomposes to canonically, those. Sorted by code point; no Hangul syllables.
std::span<const char32_t> decompositions();
/// Sorted by `first`, then `second`; no Hangul syllables.
std::span<const Composition> compositions();

}  // namespace tokenizer::unicode_data
