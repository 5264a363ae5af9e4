// The text of a setting to its value, or to what is wrong with it. Knows no field.
#pragma once

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "refserver/result.hpp"

namespace refserver {

/// A bad value: says what would be right. The caller adds where it was found.
struct BadValue : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// All of these throw BadValue.

/// A number from `low` to `high`, both included.
template <class Number>
Number parse_number(const std::string& text, Number low, Number high) {
  Number value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec == std::errc() && end == text.data() + text.size() && value >= low && value <= high) return value;
  throw BadValue(fmt::format("'{}' is not a {} from {} to {}", text,
                             std::is_integral_v<Number> ? "whole number" : "number", low, high));
}

/// The value that `text` names; `what` is what it should be, as in "a policy".
template <class Value>
Value parse_choice(const std::string& text, const char* what,
                   std::initializer_list<std::pair<const char*, Value>> choices) {
  std::string names;
  for (const auto& [name, value] : choices) {
    if (text == name) return value;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
  }
  throw BadValue(fmt::format("'{}' is not {}; there are: {}", text, what, names));
}

/// "true", "1", "false" or "0".
bool parse_bool(const std::string& text);
/// A duration with its unit, at most an hour.
std::chrono::nanoseconds parse_time(const std::string& text);
/// The same, rounded up.
std::chrono::milliseconds parse_milliseconds(const std::string& text);
/// An IP address literal.
std::string parse_host(const std::string& text);
/// Printable ASCII without spaces, not empty. What is wrong never quotes the text: it may be a key.
std::string parse_header_value(const std::string& text);

/// What the engines' own readers found, or what they say as a bad value.
template <class Value>
Value must(Result<Value, std::string> read) {
  if (!read) throw BadValue(read.error());
  if constexpr (!std::is_void_v<Value>) return std::move(*read);
}

}  // namespace refserver
