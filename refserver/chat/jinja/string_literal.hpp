// What stands between the quotes of a template's text literals.
#pragma once

#include <string>
#include <string_view>

namespace refserver::jinja {

/// Resolves Python's escapes. Throws Failure with `line` on a broken escape or one that makes half a character.
std::string read_string_literal(std::string_view inside, int line);

}  // namespace refserver::jinja
