// Methods of list, tuple and dict that change nothing.
#include <fmt/format.h>

#include <algorithm>

#include "refserver/chat/jinja/arguments.hpp"
#include "refserver/chat/jinja/builtins.hpp"
#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/interpreter.hpp"
#include "refserver/chat/jinja/operators.hpp"
#include "refserver/chat/jinja/print.hpp"

namespace refserver::jinja {
namespace {

void refuse_keywords(std::string_view method, const Arguments& arguments) {
  if (!arguments.keywords.empty()) fail(fmt::format("{}() takes no keyword arguments", method));
}

bool is_same_or_equal(Budget& budget, const Value& a, const Value& b) {
  return a.is_same(b) || is_equal(budget, a, b);
}

Value method_count(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  refuse_keywords("count", arguments);
  const auto given = bind("count", arguments, {"value"}, 1);
  const auto& items = subject.sequence().items;
  return Value(static_cast<std::int64_t>(std::count_if(items.begin(), items.end(), [&](const Value& item) {
    return is_same_or_equal(interpreter.budget(), item, given[0]);
  })));
}

Value method_index(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  refuse_keywords("index", arguments);
  const auto given = bind("index", arguments, {"value", "start", "stop"}, 1);
  const auto& items = subject.sequence().items;
  const auto length = static_cast<std::int64_t>(items.size());
  const auto settle = [&](std::int64_t at) { return at < 0 ? (at < -length ? 0 : at + length) : at; };
  const std::int64_t stop = std::min(given[2].is(Kind::missing) ? length : settle(as_integer(given[2])), length);
  for (std::int64_t i = settle(as_integer_or(given[1], 0)); i < stop; ++i) {
    if (is_same_or_equal(interpreter.budget(), items[static_cast<std::size_t>(i)], given[0])) return Value(i);
  }
  std::string shown;
  append_repr(interpreter.budget(), shown, given[0]);
  fail(fmt::format("{} is not in {}", shown, type_name(subject)));
}

Value method_copy(Interpreter&, const Value& subject, Arguments& arguments) {
  bind_none("copy", arguments);
  return subject;
}

Value method_get(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  refuse_keywords("get", arguments);
  const auto given = bind("get", arguments, {"key", "default"}, 1);
  const auto at = subject.dict().find(interpreter.budget(), given[0]);
  if (at) return subject.dict().entries[*at].second;
  return given[1].is(Kind::missing) ? Value::none() : given[1];
}

template <ViewKind which>
Value method_view(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  bind_none("dict method", arguments);
  auto view = std::make_shared<View>(subject.shared_dict(), which);
  view->depth = depth_around(interpreter.budget(), subject);
  return Value(std::shared_ptr<Object>(std::move(view)));
}

constexpr BuiltinRow kListRows[] = {{"count", method_count}, {"index", method_index}, {"copy", method_copy}};
constexpr BuiltinRow kDictRows[] = {
    {"get", method_get},
    {"keys", method_view<ViewKind::keys>},
    {"values", method_view<ViewKind::values>},
    {"items", method_view<ViewKind::items>},
    {"copy", method_copy},
    {"fromkeys", nullptr},
};

}  // namespace

std::span<const BuiltinRow> list_methods() {
  return kListRows;
}
std::span<const BuiltinRow> dict_methods() {
  return kDictRows;
}

}  // namespace refserver::jinja
