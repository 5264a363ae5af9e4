// Steps are items first and attributes second, as `[]` does it.
#include "refserver/chat/jinja/attribute_path.hpp"

#include <algorithm>
#include <charconv>

#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/interpreter.hpp"
#include "refserver/chat/jinja/text.hpp"

namespace refserver::jinja {
namespace {

Value make_step(std::string_view part) {
  std::int64_t index = 0;
  const bool is_digits =
      !part.empty() && std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!is_digits) return make_text_uncounted(std::string(part));
  if (std::from_chars(part.data(), part.data() + part.size(), index).ec != std::errc()) {
    fail("integers beyond 64 bits are not supported");
  }
  return Value(index);
}

}  // namespace

AttributePath::AttributePath(const Value& attribute) {
  if (attribute.is(Kind::text)) {
    for (const std::string_view part : split(attribute.bytes(), ".", -1)) steps_.push_back(make_step(part));
  } else if (!attribute.is(Kind::missing) && !attribute.is(Kind::none)) {
    steps_.push_back(attribute);
  }
}

Value AttributePath::follow(Interpreter& interpreter, Value value, const Value& otherwise) const {
  for (const Value& step : steps_) {
    interpreter.budget().step();
    value = interpreter.get_item(value, step);
    if (value.is(Kind::undefined) && !otherwise.is(Kind::missing) && !otherwise.is(Kind::none)) value = otherwise;
  }
  return value;
}

Value sort_key(Budget& budget, Value value, bool is_case_sensitive) {
  if (is_case_sensitive || !value.is(Kind::text)) return value;
  return make_text(budget, to_lower(value.bytes()));
}

}  // namespace refserver::jinja
