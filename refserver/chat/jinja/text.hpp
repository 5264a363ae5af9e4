// Python's str over UTF-8 bytes: code points, white space, case, search. Everything given is valid UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace refserver::jinja {

bool is_ascii(std::string_view text);
/// Whether the bytes are UTF-8 without surrogates and overlong forms.
bool is_utf8(std::string_view text);

/// The code point that starts at `at` (which is moved past it).
char32_t next_code_point(std::string_view text, std::size_t& at);
void append_code_point(std::string& out, char32_t code_point);
std::size_t count_code_points(std::string_view text);
/// Byte position of the n-th code point; the size of the text for n past the end.
std::size_t byte_position(std::string_view text, std::size_t n);

/// str.isspace of one code point: what strip, split and the lexer take for white space.
bool is_space(char32_t code_point);
/// str.isprintable of one code point.
bool is_printable(char32_t code_point);

enum class Sides : std::uint8_t { left = 1, right = 2, both = 3 };
/// Without white space, or without the code points of `characters`, at the ends.
std::string_view strip(std::string_view text, Sides sides);
std::string_view strip(std::string_view text, Sides sides, std::string_view characters);

/// str.split: at white space, or at a separator (not empty); at most `limit` cuts unless it is negative.
std::vector<std::string_view> split(std::string_view text, std::int64_t limit);
std::vector<std::string_view> split(std::string_view text, std::string_view separator, std::int64_t limit);
/// str.rsplit: the cuts counted from the end.
std::vector<std::string_view> split_from_right(std::string_view text, std::int64_t limit);
std::vector<std::string_view> split_from_right(std::string_view text, std::string_view separator, std::int64_t limit);
enum class LineEnds : std::uint8_t { drop, keep };
/// str.splitlines: at \n, \r, \r\n, \v, \f, U+001C..1E, U+0085, U+2028 and U+2029.
std::vector<std::string_view> split_lines(std::string_view text, LineEnds ends);

/// str.replace: every occurrence, or the first `limit` unless it is negative. An empty `old` is between all characters.
std::string replace_all(std::string_view text, std::string_view old, std::string_view by, std::int64_t limit);
/// How often `part` occurs without overlap; for an empty one, code points + 1.
std::size_t count_occurrences(std::string_view text, std::string_view part);

std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
/// str.title: the first letter of every run of letters.
std::string to_title(std::string_view text);
/// str.capitalize.
std::string to_capitalized(std::string_view text);
/// The case of a letter that has one, as str.isupper and str.islower see it.
enum class LetterCase : std::uint8_t { none, lower, upper, title };
LetterCase letter_case(char32_t code_point);

/// As HTML: & < > ' and " as entities.
std::string escape_html(std::string_view text);

}  // namespace refserver::jinja
