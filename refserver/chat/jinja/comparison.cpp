// Truth, equality, order and membership.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <compare>

#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/objects.hpp"
#include "refserver/chat/jinja/operators.hpp"

namespace refserver::jinja {
namespace {

/// Exact, also where a float cannot hold the integer.
std::partial_ordering order_mixed(std::int64_t a, double b) {
  if (std::isnan(b)) return std::partial_ordering::unordered;
  if (b >= 0x1p63) return std::partial_ordering::less;
  if (b < -0x1p63) return std::partial_ordering::greater;
  const double whole = std::floor(b);
  const auto whole_int = static_cast<std::int64_t>(whole);
  if (a != whole_int) return a <=> whole_int;
  return b > whole ? std::partial_ordering::less : std::partial_ordering::equivalent;
}

std::partial_ordering reversed(std::partial_ordering order) {
  if (std::is_lt(order)) return std::partial_ordering::greater;
  return std::is_gt(order) ? std::partial_ordering::less : order;
}

std::partial_ordering order_numbers(const Value& a, const Value& b) {
  if (a.is(Kind::real) && b.is(Kind::real)) return a.real() <=> b.real();
  if (a.is(Kind::real)) return reversed(order_mixed(b.integer(), a.real()));
  if (b.is(Kind::real)) return order_mixed(a.integer(), b.real());
  return a.integer() <=> b.integer();
}

bool holds(Operator op, std::partial_ordering order) {
  switch (op) {
    case Operator::less:
      return std::is_lt(order);
    case Operator::less_equal:
      return std::is_lteq(order);
    case Operator::greater:
      return std::is_gt(order);
    default:
      return std::is_gteq(order);
  }
}

bool is_equal_sequence(Budget& budget, const Sequence& a, const Sequence& b) {
  if (&a == &b) return true;
  if (a.is_tuple != b.is_tuple || a.items.size() != b.items.size()) return false;
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    if (!a.items[i].is_same(b.items[i]) && !is_equal(budget, a.items[i], b.items[i])) return false;
  }
  return true;
}

bool is_equal_dict(Budget& budget, const Dict& a, const Dict& b) {
  if (&a == &b) return true;
  if (a.entries.size() != b.entries.size()) return false;
  return std::all_of(a.entries.begin(), a.entries.end(), [&](const auto& entry) {
    const auto at = b.find(budget, entry.first);
    return at && is_equal(budget, entry.second, b.entries[*at].second);
  });
}

bool is_equal_range(const Range& a, const Range& b) {
  const std::size_t size = a.size();
  if (size != b.size()) return false;
  return size == 0 || (a.start == b.start && (size == 1 || a.step == b.step));
}

bool is_equal_object(Budget& budget, const Value& a, const Value& b) {
  if (&a.object() == &b.object()) return true;
  if (a.object().object_kind() != b.object().object_kind()) return false;
  if (a.is_object(ObjectKind::range)) return is_equal_range(a.as<Range>(), b.as<Range>());
  if (!a.is_object(ObjectKind::view)) return false;
  // Views of keys and of items are sets.
  const View& left = a.as<View>();
  if (left.which == ViewKind::values || b.as<View>().which == ViewKind::values) return false;
  if (length_of(a) != length_of(b)) return false;
  for (std::size_t i = 0; i < left.dict->entries.size(); ++i) {
    if (!contains(budget, b, left.at(budget, i))) return false;
  }
  return true;
}

[[noreturn]] void fail_order(Operator op, const Value& a, const Value& b) {
  require_defined(a);
  require_defined(b);
  fail(fmt::format("'{}' not supported between instances of '{}' and '{}'", symbol(op), type_name(a), type_name(b)));
}

bool is_ordered(Budget& budget, Operator op, const Value& a, const Value& b) {
  budget.step();
  if (a.is_number() && b.is_number()) return holds(op, order_numbers(a, b));
  if (a.is(Kind::text) && b.is(Kind::text)) {
    budget.scan(std::min(a.bytes().size(), b.bytes().size()));
    return holds(op, a.bytes().compare(b.bytes()) <=> 0);  // the order of UTF-8 is that of code points
  }
  if (!a.is(Kind::sequence) || !b.is(Kind::sequence) || a.sequence().is_tuple != b.sequence().is_tuple) {
    fail_order(op, a, b);
  }
  const auto& left = a.sequence().items;
  const auto& right = b.sequence().items;
  for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
    if (!left[i].is_same(right[i]) && !is_equal(budget, left[i], right[i]))
      return is_ordered(budget, op, left[i], right[i]);
  }
  return holds(op, left.size() <=> right.size());
}

bool contains_by_iteration(Budget& budget, const Value& container, const Value& item) {
  if (!is_iterable(container)) fail(fmt::format("argument of type '{}' is not iterable", type_name(container)));
  const auto iterator = iterate(budget, container);
  for (Value next = iterator->next(); !next.is(Kind::missing); next = iterator->next()) {
    if (next.is_same(item) || is_equal(budget, next, item)) return true;
  }
  return false;
}

}  // namespace

std::string_view symbol(Operator op) {
  constexpr std::string_view kSymbols[] = {
      "+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=", "in", "not in"};
  return kSymbols[static_cast<std::size_t>(op)];
}

bool is_true(const Value& value) {
  switch (value.kind()) {
    case Kind::missing:
    case Kind::undefined:
    case Kind::none:
      return false;
    case Kind::boolean:
    case Kind::integer:
      return value.integer() != 0;
    case Kind::real:
      return value.real() != 0;
    case Kind::text:
      return !value.bytes().empty();
    case Kind::sequence:
      return !value.sequence().items.empty();
    case Kind::dict:
      return !value.dict().entries.empty();
    case Kind::object:
      return !has_length(value) || length_of(value) != 0;
  }
  return false;
}

bool is_equal(Budget& budget, const Value& a, const Value& b) {
  budget.step();
  if (a.is_number() && b.is_number()) return std::is_eq(order_numbers(a, b));
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::text:
      if (a.bytes().size() != b.bytes().size()) return false;
      budget.scan(a.bytes().size());
      return a.bytes() == b.bytes();
    case Kind::sequence:
      return is_equal_sequence(budget, a.sequence(), b.sequence());
    case Kind::dict:
      return is_equal_dict(budget, a.dict(), b.dict());
    case Kind::object:
      return is_equal_object(budget, a, b);
    default:
      return true;  // none and undefined values
  }
}

bool is_less(Budget& budget, const Value& a, const Value& b) {
  return is_ordered(budget, Operator::less, a, b);
}

bool contains(Budget& budget, const Value& container, const Value& item) {
  if (container.is(Kind::text)) {
    if (!item.is(Kind::text)) {
      fail(fmt::format("'in <string>' requires string as left operand, not {}", type_name(item)));
    }
    budget.scan(container.bytes().size());
    return container.bytes().find(item.bytes()) != std::string::npos;
  }
  if (container.is(Kind::dict)) return container.dict().find(budget, item).has_value();
  if (container.is_object(ObjectKind::view) && container.as<View>().which == ViewKind::keys) {
    return container.as<View>().dict->find(budget, item).has_value();
  }
  return contains_by_iteration(budget, container, item);
}

bool compare(Budget& budget, Operator op, const Value& a, const Value& b) {
  switch (op) {
    case Operator::equal:
      return is_equal(budget, a, b);
    case Operator::not_equal:
      return !is_equal(budget, a, b);
    case Operator::in:
      return contains(budget, b, a);
    case Operator::not_in:
      return !contains(budget, b, a);
    default:
      return is_ordered(budget, op, a, b);
  }
}

}  // namespace refserver::jinja
