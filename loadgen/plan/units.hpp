// Quantities as people write them: durations with units, and how to write them back. Pure text, knows no field names.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "loadgen/result.hpp"

namespace loadgen {

/// Nanoseconds in one of ns, us (also µs), ms, s, m, h; nothing for any other word.
std::optional<double> unit_in_ns(std::string_view unit) noexcept;

/// A number of digits with an optional fraction at the start of `text` (no sign, no exponent); cuts it off `text`.
std::optional<double> take_number(std::string_view& text) noexcept;

/// `2s`, `500ms`, `1.5s`, `1m30s` (units from large to small, each once); `0` needs no unit. At most a year.
/// The error says how a duration is written.
Result<std::chrono::nanoseconds, std::string> parse_duration(std::string_view text);

/// The shortest exact spelling: `1m30s`, `500ms`, `0s`.
std::string duration_text(std::chrono::nanoseconds duration);

}  // namespace loadgen
