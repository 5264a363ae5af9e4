// The alphabet that byte-level vocabularies are written in: one printable character for each byte.
#pragma once

#include <string>
#include <string_view>

namespace tokenizer {

/// Appends the bytes that `written` spells to `out`; false, and nothing appended, if a character is not of the
/// alphabet.
bool append_spelled_bytes(std::string_view written, std::string& out);

/// The bytes as the alphabet writes them, in UTF-8.
std::string spell_bytes(std::string_view bytes);

}  // namespace tokenizer
