// Text for a terminal: how wide it is there, and how names and errors from outside are made harmless.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace loadgen {

/// Columns the text takes: wide East Asian characters and emoji two, combining marks none. Bytes that are not UTF-8
/// one.
std::size_t display_width(std::string_view text);

/// The longest start of the text that takes at most `columns`; a cut text ends in `…`.
std::string cut_to_width(std::string_view text, std::size_t columns);

/// Control characters replaced by `?`, so that nothing from outside can move the cursor or change colours.
std::string without_controls(std::string_view text);

/// Padded with spaces to `columns`, cut if longer.
std::string pad_right(std::string_view text, std::size_t columns);
std::string pad_left(std::string_view text, std::size_t columns);

/// Lines of at most `columns`, broken at spaces, each but the first one indented by `indent` spaces; no line feed at
/// the end. A word that is wider than a line stays whole.
std::string wrap_text(std::string_view text, std::size_t columns, std::size_t indent);

}  // namespace loadgen
