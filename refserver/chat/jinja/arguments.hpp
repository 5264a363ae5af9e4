// What filters, tests, methods and functions do with their arguments.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "refserver/chat/jinja/objects.hpp"

namespace refserver::jinja {

/// The values of the named parameters, missing where not given. The first `required` must be given. Fails on arguments
/// too many, unknown or given twice.
std::vector<Value> bind(std::string_view function, const Arguments& arguments,
                        std::initializer_list<std::string_view> parameters, std::size_t required = 0);
/// Fails when there is any argument.
void bind_none(std::string_view function, const Arguments& arguments);

/// An integer as Python takes one where it needs an index; fails on anything else.
std::int64_t as_integer(const Value& value);
/// The same, `otherwise` for a missing value.
std::int64_t as_integer_or(const Value& value, std::int64_t otherwise);
/// The bytes of a text; fails on anything else. `what` names the parameter.
const std::string& as_text(const Value& value, std::string_view what);
/// Truth, `otherwise` for a missing value.
bool as_bool_or(const Value& value, bool otherwise);
inline bool is_given(const Value& value) {
  return !value.is(Kind::missing) && !value.is(Kind::none);
}

}  // namespace refserver::jinja
