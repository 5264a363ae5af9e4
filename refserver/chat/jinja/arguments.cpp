// Binding arguments to parameters, with Python's words for what does not fit.
#include "refserver/chat/jinja/arguments.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/operators.hpp"
#include "refserver/chat/jinja/print.hpp"

namespace refserver::jinja {

std::vector<Value> bind(std::string_view function, const Arguments& arguments,
                        std::initializer_list<std::string_view> parameters, std::size_t required) {
  if (arguments.positional.size() > parameters.size()) {
    fail(fmt::format("{}() takes at most {} argument(s), got {}", function, parameters.size(),
                     arguments.positional.size()));
  }
  std::vector<Value> values = arguments.positional;
  values.resize(parameters.size());
  for (const auto& [name, value] : arguments.keywords) {
    const auto at = std::find(parameters.begin(), parameters.end(), name);
    if (at == parameters.end()) fail(fmt::format("{}() got an unexpected keyword argument {}", function, quoted(name)));
    Value& place = values[static_cast<std::size_t>(at - parameters.begin())];
    if (!place.is(Kind::missing)) fail(fmt::format("{}() got multiple values for argument {}", function, quoted(name)));
    place = value;
  }
  for (std::size_t i = 0; i < required; ++i) {
    if (values[i].is(Kind::missing)) {
      fail(fmt::format("{}() missing a required argument: '{}'", function, *(parameters.begin() + i)));
    }
  }
  return values;
}

void bind_none(std::string_view function, const Arguments& arguments) {
  bind(function, arguments, {});
}

std::int64_t as_integer(const Value& value) {
  require_defined(value);
  if (!value.is(Kind::integer) && !value.is(Kind::boolean)) {
    fail(fmt::format("'{}' object cannot be interpreted as an integer", type_name(value)));
  }
  return value.integer();
}

std::int64_t as_integer_or(const Value& value, std::int64_t otherwise) {
  return value.is(Kind::missing) ? otherwise : as_integer(value);
}

const std::string& as_text(const Value& value, std::string_view what) {
  if (!value.is(Kind::text)) fail(fmt::format("{} must be str, not {}", what, type_name(value)));
  return value.bytes();
}

bool as_bool_or(const Value& value, bool otherwise) {
  return value.is(Kind::missing) ? otherwise : is_true(value);
}

}  // namespace refserver::jinja
