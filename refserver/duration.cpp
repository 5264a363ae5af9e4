// A number and a unit; nothing else.
#include "refserver/duration.hpp"

#include <charconv>
#include <cmath>

namespace refserver {

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  double value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (ec != std::errc() || !(value >= 0)) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const double ns = unit == "ns"   ? value
                    : unit == "us" ? value * 1e3
                    : unit == "ms" ? value * 1e6
                    : unit == "s"  ? value * 1e9
                    : unit == "m"  ? value * 60e9
                    : unit == "h"  ? value * 3600e9
                                   : -1;
  if (!(ns >= 0 && ns <= 3600e9)) return std::nullopt;
  return std::chrono::nanoseconds(std::llround(ns));
}

}  // namespace refserver
