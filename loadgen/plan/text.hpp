// Small judgements about text: is it UTF-8, is it printable, which known word was meant. Knows no field names.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace loadgen {

/// Well-formed UTF-8 by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) noexcept;

/// True if a byte is below 0x20 or 0x7f: nothing that belongs in a name, an address or a header.
bool has_control_character(std::string_view text) noexcept;

/// ASCII letters alone.
std::string lower_case(std::string_view text);

/// `a`, `b` and `c` as "a, b, c".
std::string joined(std::span<const std::string_view> words);

/// "; did you mean 'concurrency'?" when one of `known` is at most two edits away (a third of the length), else "".
std::string did_you_mean(std::string_view word, std::span<const std::string_view> known);

}  // namespace loadgen
