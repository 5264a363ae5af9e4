// Attributes, items and calls: what `.`, `[]` and `()` do.
#include <fmt/format.h>

#include <algorithm>

#include "refserver/chat/jinja/builtins.hpp"
#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/interpreter.hpp"
#include "refserver/chat/jinja/loop.hpp"
#include "refserver/chat/jinja/operators.hpp"
#include "refserver/chat/jinja/print.hpp"

namespace refserver::jinja {
namespace {

/// A method together with the value it belongs to.
class BoundMethod : public Function {
 public:
  BoundMethod(Budget& budget, Builtin method, std::string name, Value owner)
      : method_(method), name_(std::move(name)), owner_(std::move(owner)) {
    depth = depth_around(budget, owner_);
  }
  std::string show() const override {
    return fmt::format("<built-in method {} of {} object>", name_, jinja::type_name(owner_));
  }
  Value call(Interpreter& interpreter, Arguments arguments) override { return method_(interpreter, owner_, arguments); }

 private:
  Builtin method_;
  std::string name_;
  Value owner_;
};

Value unsafe_attribute(const Value& owner, std::string_view name) {
  return undefined_hint(
      fmt::format("access to attribute {} of '{}' object is unsafe.", quoted(name), type_name(owner)));
}

/// Attributes that every Python object has; the sandbox hides them.
bool is_internal(std::string_view name) {
  constexpr std::string_view kNames[] = {
      "__class__", "__delattr__", "__dir__",  "__doc__", "__eq__",   "__format__",  "__ge__",       "__getattribute__",
      "__gt__",    "__hash__",    "__init__", "__le__",  "__lt__",   "__ne__",      "__new__",      "__reduce__",
      "__repr__",  "__setattr__", "__str__",  "__len__", "__iter__", "__getitem__", "__contains__", "__reduce_ex__",
  };
  return name.starts_with("__") && std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

Value call_cycle(Interpreter&, const Value& loop, Arguments& arguments) {
  return loop.as<Loop>().cycle(arguments);
}
Value call_changed(Interpreter&, const Value& loop, Arguments& arguments) {
  return loop.as<Loop>().changed(std::move(arguments));
}

}  // namespace

Value Interpreter::find_loop_attribute(const Value& loop, std::string_view name) {
  const Builtin method = name == "cycle" ? call_cycle : name == "changed" ? call_changed : nullptr;
  if (method == nullptr) return loop.as<Loop>().attribute(name);
  return Value(std::shared_ptr<Object>(std::make_shared<BoundMethod>(budget_, method, std::string(name), loop)));
}

namespace {

/// Methods that do the same to text marked as safe as to other text.
bool keeps_markup(std::string_view name) {
  constexpr std::string_view kNames[] = {"strip", "lstrip", "rstrip", "upper", "lower", "title", "capitalize"};
  const auto searches = text_search_methods();
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames) ||
         std::any_of(searches.begin(), searches.end(), [&](const BuiltinRow& row) { return row.name == name; });
}

/// An attribute proper, or a missing value.
Value find_attribute(Budget& budget, const Value& owner, std::string_view name) {
  if (is_internal(name)) return unsafe_attribute(owner, name);
  if (owner.is_object(ObjectKind::name_space)) {
    const Value* value = owner.as<Namespace>().find(name);
    return value != nullptr ? *value : Value();
  }
  const Method method = find_method(owner, name);
  switch (method.state) {
    case MethodState::none:
      return {};
    case MethodState::unsafe:
      return unsafe_attribute(owner, name);
    case MethodState::unsupported:
      fail(fmt::format("'{}.{}' is not supported", type_name(owner), name));
    case MethodState::found:
      break;
  }
  if (owner.is(Kind::text) && owner.text().is_markup && !keeps_markup(name)) {
    fail(fmt::format("'Markup.{}' is not supported", name));
  }
  return Value(std::shared_ptr<Object>(std::make_shared<BoundMethod>(budget, method.call, std::string(name), owner)));
}

}  // namespace

Value Interpreter::get_attribute(const Value& owner, std::string_view name) {
  require_defined(owner);
  Value attribute =
      owner.is_object(ObjectKind::loop) ? find_loop_attribute(owner, name) : find_attribute(budget_, owner, name);
  if (!attribute.is(Kind::missing)) return attribute;
  const Value index = make_text_uncounted(std::string(name));
  if (auto item = find_item(budget_, owner, index)) return *item;
  return undefined_member(owner, index);
}

Value Interpreter::get_item(const Value& owner, const Value& index) {
  if (auto item = find_item(budget_, owner, index)) return *item;
  if (index.is(Kind::text)) {
    Value attribute = owner.is_object(ObjectKind::loop) ? find_loop_attribute(owner, index.bytes())
                                                        : find_attribute(budget_, owner, index.bytes());
    if (!attribute.is(Kind::missing)) return attribute;
  }
  return undefined_member(owner, index);
}

Value Interpreter::call(const Value& callee, Arguments arguments) {
  require_defined(callee);
  if (!callee.is_object(ObjectKind::function)) fail(fmt::format("'{}' object is not callable", type_name(callee)));
  return callee.as<Function>().call(*this, std::move(arguments));
}

Value Interpreter::apply_filter(const Value& name, const Value& subject, Arguments arguments) {
  const Budget::Level level(budget_);
  const Builtin filter = name.is(Kind::text) ? find_filter(name.bytes()) : nullptr;
  if (filter == nullptr && name.is(Kind::text) && is_unsupported_filter(name.bytes())) {
    fail(fmt::format("the filter {} is not supported", quoted(name.bytes())));
  }
  if (filter == nullptr)
    fail(fmt::format("No filter named {}.", name.is(Kind::text) ? quoted(name.bytes()) : std::string(type_name(name))));
  return filter(*this, subject, arguments);
}

bool Interpreter::apply_test(const Value& name, const Value& subject, Arguments arguments) {
  const Budget::Level level(budget_);
  const Test test = name.is(Kind::text) ? find_test(name.bytes()) : nullptr;
  if (test == nullptr)
    fail(fmt::format("No test named {}.", name.is(Kind::text) ? quoted(name.bytes()) : std::string(type_name(name))));
  return test(*this, subject, arguments);
}

}  // namespace refserver::jinja
