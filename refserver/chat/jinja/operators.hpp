// Python's operators on values: truth, comparison, arithmetic, membership, subscripts. Failures use Python's words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "refserver/chat/jinja/value.hpp"

namespace refserver::jinja {

bool is_true(const Value& value);
bool is_equal(Budget& budget, const Value& a, const Value& b);

enum class Operator : std::uint8_t {
  add,
  subtract,
  multiply,
  divide,
  floor_divide,
  modulo,
  power,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  in,
  not_in,
};
/// As the template writes it, such as "<=" or "not in".
std::string_view symbol(Operator op);

/// add to power.
Value calculate(Budget& budget, Operator op, const Value& a, const Value& b);
Value negate(const Value& value);
/// Unary plus.
Value affirm(const Value& value);
/// equal to not_in.
bool compare(Budget& budget, Operator op, const Value& a, const Value& b);
bool is_less(Budget& budget, const Value& a, const Value& b);
bool contains(Budget& budget, const Value& container, const Value& item);

/// len(): fails on what has none.
std::size_t length_of(const Value& value);
/// container[index], or nothing where Python raises LookupError or TypeError.
std::optional<Value> find_item(Budget& budget, const Value& container, const Value& index);

/// The parts of start:stop:step; none where left out.
struct Slice {
  Value start;
  Value stop;
  Value step;
};
Value get_slice(Budget& budget, const Value& container, const Slice& slice);

/// An index as Python counts it, in [0, length], or nothing where it lies outside.
std::optional<std::size_t> normal_index(std::int64_t index, std::size_t length);

}  // namespace refserver::jinja
