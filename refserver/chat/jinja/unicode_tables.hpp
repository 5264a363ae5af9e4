// What Python knows of single code points, in tables made by make_unicode_tables.py.
#pragma once

#include <span>
#include <string_view>

namespace refserver::jinja {

/// Code points first, first + stride, ... last.
struct CodePointRange {
  char32_t first;
  char32_t last;
  char32_t stride;
};

/// Such a range and what is added to a member to get its other case.
struct CaseRange {
  char32_t first;
  char32_t last;
  char32_t stride;
  int delta;
};

/// A code point whose other case is several, as UTF-8.
struct CaseSpecial {
  char32_t code_point;
  std::string_view text;
};

// All sorted by code point. A range's members are in no other range of its table.
extern const std::span<const CodePointRange> kUnprintable;
extern const std::span<const CodePointRange> kUpperLetters;
extern const std::span<const CodePointRange> kLowerLetters;
extern const std::span<const CodePointRange> kTitleLetters;
extern const std::span<const CodePointRange> kCaseIgnorable;  ///< do not end a word
extern const std::span<const CaseRange> kToUpper;
extern const std::span<const CaseRange> kToLower;
extern const std::span<const CaseRange> kToTitle;  ///< where it is not that of kToUpper
extern const std::span<const CaseSpecial> kToUpperSpecial;
extern const std::span<const CaseSpecial> kToTitleSpecial;

}  // namespace refserver::jinja
