// Base64 as RFC 4648 section 4 has it: standard alphabet, padding, no line breaks. Bytes in, text out and back.
#pragma once

#include <string>
#include <string_view>

#include "exporters/result.hpp"

namespace exporters {

/// Appends the base64 form of `bytes` to `out`.
void append_base64(std::string& out, std::string_view bytes);

/// The bytes of `text`. Error: base64_malformed for a wrong length, a foreign character or left-over bits.
Result<std::string> decode_base64(std::string_view text);

}  // namespace exporters
