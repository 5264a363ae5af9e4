// Filters on lists and dicts that answer at once: length, join, sort ...
#include <fmt/format.h>

#include <algorithm>

#include "refserver/chat/jinja/arguments.hpp"
#include "refserver/chat/jinja/attribute_path.hpp"
#include "refserver/chat/jinja/builtins.hpp"
#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/interpreter.hpp"
#include "refserver/chat/jinja/operators.hpp"
#include "refserver/chat/jinja/print.hpp"
#include "refserver/chat/jinja/text.hpp"

namespace refserver::jinja {
namespace {

Value filter_length(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  bind_none("len", arguments);
  if (subject.is(Kind::text)) interpreter.budget().scan(subject.bytes().size());
  return Value(static_cast<std::int64_t>(length_of(subject)));
}

Value filter_default(Interpreter&, const Value& subject, Arguments& arguments) {
  const auto given = bind("default", arguments, {"default_value", "boolean"});
  if (!subject.is(Kind::undefined) && (!as_bool_or(given[1], false) || is_true(subject))) return subject;
  return given[0].is(Kind::missing) ? make_text_uncounted("") : given[0];
}

Value filter_first(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  bind_none("first", arguments);
  Value item = iterate(interpreter.budget(), subject)->next();
  return item.is(Kind::missing) ? undefined_hint("No first item, sequence was empty.") : item;
}

Value filter_last(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  bind_none("last", arguments);
  Value item;
  if (subject.is(Kind::text)) {
    if (auto last = find_item(interpreter.budget(), subject, Value(std::int64_t{-1}))) item = *last;
  } else if (!subject.is(Kind::undefined)) {
    const auto iterator = iterate_reversed(interpreter.budget(), subject);
    if (!iterator) fail(fmt::format("'{}' object is not reversible", type_name(subject)));
    item = iterator->next();
  }
  return item.is(Kind::missing) ? undefined_hint("No last item, sequence was empty.") : item;
}

Value filter_list(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  bind_none("list", arguments);
  return make_list(interpreter.budget(), collect(interpreter.budget(), subject));
}

Value filter_join(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  const auto given = bind("join", arguments, {"d", "attribute"});
  Budget& budget = interpreter.budget();
  const AttributePath path(given[1]);
  const std::string between = given[0].is(Kind::missing) ? "" : to_text(budget, given[0]);
  std::string out;
  bool is_first = true;
  const auto iterator = iterate(budget, subject);
  for (Value item = iterator->next(); !item.is(Kind::missing); item = iterator->next()) {
    if (!is_first) out += between;
    is_first = false;
    append_text(budget, out, path.follow(interpreter, std::move(item)));
    budget.step(between.size() / 64);
    if (out.size() > budget.limits().max_value_bytes) break;  // make_text says so
  }
  return make_text(budget, std::move(out));
}

Value filter_reverse(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  bind_none("reverse", arguments);
  Budget& budget = interpreter.budget();
  if (subject.is(Kind::text)) {
    return get_slice(budget, subject, {Value::none(), Value::none(), Value(std::int64_t{-1})});
  }
  if (const auto iterator = iterate_reversed(budget, subject)) {
    iterator->depth = depth_around(budget, subject);
    return Value(std::shared_ptr<Object>(iterator));
  }
  if (!is_iterable(subject)) fail("argument must be iterable");
  std::vector<Value> items = collect(budget, subject);
  std::reverse(items.begin(), items.end());
  return make_list(budget, std::move(items));
}

/// Items with what they are sorted by.
struct Keyed {
  Value key;
  Value item;
};

void sort_by_key(Budget& budget, std::vector<Keyed>& items, bool is_reversed) {
  // Reversed before and after, equal items keep their order.
  if (is_reversed) std::reverse(items.begin(), items.end());
  std::stable_sort(items.begin(), items.end(),
                   [&](const Keyed& a, const Keyed& b) { return is_less(budget, a.key, b.key); });
  if (is_reversed) std::reverse(items.begin(), items.end());
}

Value take_items(Budget& budget, std::vector<Keyed> keyed) {
  std::vector<Value> items;
  items.reserve(keyed.size());
  for (Keyed& entry : keyed) items.push_back(std::move(entry.item));
  return make_list(budget, std::move(items));
}

Value filter_sort(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  const auto given = bind("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  Budget& budget = interpreter.budget();
  std::vector<AttributePath> paths;
  if (given[2].is(Kind::text)) {
    for (const auto part : split(given[2].bytes(), ",", -1)) paths.emplace_back(make_text_uncounted(std::string(part)));
  } else {
    paths.emplace_back(given[2]);
  }
  std::vector<Keyed> keyed;
  for (Value& item : collect(budget, subject)) {
    std::vector<Value> keys;
    keys.reserve(paths.size());
    for (const AttributePath& path : paths) {
      keys.push_back(sort_key(budget, path.follow(interpreter, item), as_bool_or(given[1], false)));
    }
    keyed.push_back({make_list(budget, std::move(keys)), std::move(item)});
  }
  sort_by_key(budget, keyed, as_bool_or(given[0], false));
  return take_items(budget, std::move(keyed));
}

Value filter_dictsort(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  const auto given = bind("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  Budget& budget = interpreter.budget();
  const std::string by = given[1].is(Kind::missing) ? "key" : given[1].is(Kind::text) ? given[1].bytes() : "";
  if (by != "key" && by != "value") fail("You can only sort by either \"key\" or \"value\"");
  require_defined(subject);
  if (!subject.is(Kind::dict)) fail(fmt::format("'{}' object has no attribute 'items'", type_name(subject)));
  std::vector<Keyed> keyed;
  for (const auto& [key, value] : subject.dict().entries) {
    keyed.push_back(
        {sort_key(budget, by == "key" ? key : value, as_bool_or(given[0], false)), make_tuple(budget, {key, value})});
  }
  sort_by_key(budget, keyed, as_bool_or(given[2], false));
  return take_items(budget, std::move(keyed));
}

Value find_extreme(Interpreter& interpreter, const Value& subject, Arguments& arguments, Operator wanted) {
  const auto given = bind(wanted == Operator::less ? "min" : "max", arguments, {"case_sensitive", "attribute"});
  Budget& budget = interpreter.budget();
  const AttributePath path(given[1]);
  const auto key_of = [&](const Value& item) {
    return sort_key(budget, path.follow(interpreter, item), as_bool_or(given[0], false));
  };
  const auto iterator = iterate(budget, subject);
  Value best = iterator->next();
  if (best.is(Kind::missing)) return undefined_hint("No aggregated item, sequence was empty.");
  Value best_key = key_of(best);
  for (Value item = iterator->next(); !item.is(Kind::missing); item = iterator->next()) {
    Value key = key_of(item);
    if (!compare(budget, wanted, key, best_key)) continue;
    best = std::move(item);
    best_key = std::move(key);
  }
  return best;
}

Value filter_min(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  return find_extreme(interpreter, subject, arguments, Operator::less);
}
Value filter_max(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  return find_extreme(interpreter, subject, arguments, Operator::greater);
}

Value filter_sum(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  const auto given = bind("sum", arguments, {"attribute", "start"});
  Budget& budget = interpreter.budget();
  const AttributePath path(given[0]);
  Value sum = given[1].is(Kind::missing) ? Value(std::int64_t{0}) : given[1];
  if (sum.is(Kind::text)) fail("sum() can't sum strings [use ''.join(seq) instead]");
  const auto iterator = iterate(budget, subject);
  for (Value item = iterator->next(); !item.is(Kind::missing); item = iterator->next()) {
    sum = calculate(budget, Operator::add, sum, path.follow(interpreter, std::move(item)));
  }
  return sum;
}

/// An attribute and never an item.
Value filter_attr(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  const auto given = bind("attr", arguments, {"name"}, 1);
  const std::string& name = as_text(given[0], "attribute name");
  require_defined(subject);
  const bool is_item_only = subject.is(Kind::dict) && find_method(subject, name).state == MethodState::none;
  return is_item_only ? undefined_member(subject, given[0]) : interpreter.get_attribute(subject, name);
}

constexpr BuiltinRow kRows[] = {
    {"length", filter_length}, {"count", filter_length},      {"default", filter_default}, {"d", filter_default},
    {"first", filter_first},   {"last", filter_last},         {"list", filter_list},       {"join", filter_join},
    {"sort", filter_sort},     {"dictsort", filter_dictsort}, {"reverse", filter_reverse}, {"min", filter_min},
    {"max", filter_max},       {"sum", filter_sum},           {"attr", filter_attr},
};

}  // namespace

std::span<const BuiltinRow> list_filters() {
  return kRows;
}

}  // namespace refserver::jinja
