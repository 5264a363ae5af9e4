// Durations as people write them: "100ms", "1.5s", "250us", "2m".
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace refserver {

/// Empty if `text` is not a number >= 0 with a unit (ns, us, ms, s, m, h), or is longer than an hour.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

}  // namespace refserver
