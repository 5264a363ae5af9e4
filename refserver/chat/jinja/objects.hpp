// Values that are more than data: namespaces, functions, iterators, ranges and the views of a dict.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "refserver/chat/jinja/value.hpp"

namespace refserver::jinja {

class Interpreter;

/// What `namespace(...)` makes: the one thing a template can change.
class Namespace : public Object {
 public:
  ObjectKind object_kind() const override { return ObjectKind::name_space; }
  std::string_view type_name() const override { return "Namespace"; }
  const Value* find(std::string_view name) const;
  void set(std::string_view name, Value value);

  std::vector<std::pair<std::string, Value>> attributes;
};

/// What a call is given.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> keywords;
};

/// A filter, a method or a global function: what is left of the |, of the dot, or nothing; and the arguments.
using Builtin = Value (*)(Interpreter& interpreter, const Value& subject, Arguments& arguments);
/// A test: what is left of `is`, and the arguments.
using Test = bool (*)(Interpreter& interpreter, const Value& subject, Arguments& arguments);

class Function : public Object {
 public:
  ObjectKind object_kind() const override { return ObjectKind::function; }
  std::string_view type_name() const override { return "builtin_function_or_method"; }
  /// As printed: "<built-in method upper of str object>".
  virtual std::string show() const = 0;
  virtual Value call(Interpreter& interpreter, Arguments arguments) = 0;
};

/// Gives its items once.
class Iterator : public Object {
 public:
  ObjectKind object_kind() const override { return ObjectKind::iterator; }
  std::string_view type_name() const override { return "generator"; }
  /// The next item, or a missing value at the end.
  virtual Value next() = 0;
};

class Range : public Object {
 public:
  Range(std::int64_t first, std::int64_t end, std::int64_t stride) : start(first), stop(end), step(stride) {}
  ObjectKind object_kind() const override { return ObjectKind::range; }
  std::string_view type_name() const override { return "range"; }
  std::size_t size() const;
  std::int64_t at(std::size_t index) const { return start + static_cast<std::int64_t>(index) * step; }

  std::int64_t start;
  std::int64_t stop;
  std::int64_t step;  ///< not 0
};

enum class ViewKind : std::uint8_t { keys, values, items };

/// dict.keys(), .values() and .items().
class View : public Object {
 public:
  View(std::shared_ptr<const Dict> of, ViewKind what) : dict(std::move(of)), which(what) {}
  ObjectKind object_kind() const override { return ObjectKind::view; }
  std::string_view type_name() const override;
  Value at(Budget& budget, std::size_t index) const;

  std::shared_ptr<const Dict> dict;
  ViewKind which;
};

/// iter(): fails on what cannot be iterated over. The iterator keeps `value` alive and `budget` must outlive it.
std::shared_ptr<Iterator> iterate(Budget& budget, const Value& value);
/// reversed(), or nothing where there is no such thing.
std::shared_ptr<Iterator> iterate_reversed(Budget& budget, const Value& value);
/// Whether iterate() would succeed.
bool is_iterable(const Value& value);
/// Whether length_of() would succeed.
bool has_length(const Value& value);
/// list(): all the items.
std::vector<Value> collect(Budget& budget, const Value& value);

}  // namespace refserver::jinja
