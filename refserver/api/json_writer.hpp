// Appends JSON scalars to a buffer the way TGI writes them. No document model: the hot path formats into reused memory.
#pragma once

#include <string>
#include <string_view>

namespace refserver {

/// `text` in quotes; only `"`, `\` and U+0000..U+001F are escaped. `text` must be UTF-8.
void append_json_string(std::string_view text, std::string& out);

/// The text with U+FFFD for what is not UTF-8, one for each maximal part that could have become a character.
std::string replace_invalid_utf8(std::string_view bytes);

/// Shortest decimal that reads back as the same f32, plain for 1e-6 <= |x| < 1e13; null for NaN and infinities.
void append_f32(float value, std::string& out);

/// The same for f64, plain for 1e-5 <= |x| < 1e16. Only error texts need it.
void append_f64(double value, std::string& out);

/// `text` as error texts quote it: `"x"` with `"`, `\` and control characters escaped.
std::string quoted_debug(std::string_view text);

}  // namespace refserver
