// Finds a text at the start of a JSON string without decoding the string. Internal to drive.
#pragma once

#include <cstddef>
#include <string_view>

namespace loadgen {

/// How many bytes of `raw`, a JSON string without its quotes, spell `plain`, however it is escaped; 0 if `raw` does not
/// begin with it, or if there is nothing to find.
std::size_t spelled_prefix(std::string_view raw, std::string_view plain) noexcept;

}  // namespace loadgen
