// Values as text: str() and repr() of Python.
#pragma once

#include <string>
#include <string_view>

#include "refserver/chat/jinja/value.hpp"

namespace refserver::jinja {

/// str(): what `{{ value }}` prints.
std::string to_text(Budget& budget, const Value& value);
/// Appends str() to `out` without a copy where it can.
void append_text(Budget& budget, std::string& out, const Value& value);
/// repr(): how a value looks inside a printed list.
void append_repr(Budget& budget, std::string& out, const Value& value);
/// A text the way Python shows it: in quotes, with escapes.
std::string quoted(std::string_view text);
/// A float the way Python shows it: the shortest digits that read back as the same number.
std::string show_real(double value);
/// repr() of a number.
std::string short_repr(const Value& number);

}  // namespace refserver::jinja
