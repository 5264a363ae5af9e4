// + - * / // % ** on values. Integers have 64 bits: what does not fit is an error and never another number.
#include <fmt/format.h>

#include <cmath>

#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/operators.hpp"
#include "refserver/chat/jinja/text.hpp"

namespace refserver::jinja {
namespace {

[[noreturn]] void fail_overflow() {
  fail("integers beyond 64 bits are not supported");
}
[[noreturn]] void fail_zero(std::string_view what) {
  fail(fmt::format("{} by zero", what));
}

[[noreturn]] void fail_types(Operator op, const Value& a, const Value& b) {
  require_defined(a);
  require_defined(b);
  const std::string_view shown = op == Operator::power ? "** or pow()" : symbol(op);
  fail(fmt::format("unsupported operand type(s) for {}: '{}' and '{}'", shown, type_name(a), type_name(b)));
}

double as_real(const Value& number) {
  return number.is(Kind::real) ? number.real() : static_cast<double>(number.integer());
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  if (b == 0) fail_zero("integer division or modulo");
  if (b == -1) {
    std::int64_t result = 0;
    if (__builtin_sub_overflow(std::int64_t{0}, a, &result)) fail_overflow();
    return result;
  }
  return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

std::int64_t floor_modulo(std::int64_t a, std::int64_t b) {
  if (b == 0) fail_zero("integer modulo");
  if (b == -1) return 0;
  const std::int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

/// Quotient and remainder as CPython computes them, to the last bit.
std::pair<double, double> floor_divide(double a, double b) {
  double rest = std::fmod(a, b);
  double quotient = (a - rest) / b;
  if (rest == 0) {
    rest = std::copysign(0.0, b);
  } else if ((b < 0) != (rest < 0)) {
    rest += b;
    quotient -= 1;
  }
  if (quotient == 0) return {std::copysign(0.0, a / b), rest};
  double whole = std::floor(quotient);
  if (quotient - whole > 0.5) whole += 1;
  return {whole, rest};
}

double real_power(double base, double exponent) {
  if (base == 0 && exponent < 0) fail("0.0 cannot be raised to a negative power");
  if (base < 0 && std::isfinite(base) && std::isfinite(exponent) && exponent != std::floor(exponent)) {
    fail("complex numbers are not supported");
  }
  const double result = std::pow(base, exponent);
  if (std::isinf(result) && std::isfinite(base) && std::isfinite(exponent))
    fail("(34, 'Numerical result out of range')");
  return result;
}

Value integer_power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) return Value(real_power(static_cast<double>(base), static_cast<double>(exponent)));
  if (base == 0 || base == 1) return Value(exponent == 0 ? std::int64_t{1} : base);
  if (base == -1) return Value(std::int64_t{exponent % 2 == 0 ? 1 : -1});
  std::int64_t result = 1;
  for (; exponent > 0; --exponent) {  // at most 63 rounds: the base is 2 or more
    if (__builtin_mul_overflow(result, base, &result)) fail_overflow();
  }
  return Value(result);
}

Value calculate_integers(Operator op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool has_overflow = false;
  switch (op) {
    case Operator::add:
      has_overflow = __builtin_add_overflow(a, b, &result);
      break;
    case Operator::subtract:
      has_overflow = __builtin_sub_overflow(a, b, &result);
      break;
    case Operator::multiply:
      has_overflow = __builtin_mul_overflow(a, b, &result);
      break;
    case Operator::divide:
      if (b == 0) fail_zero("division");
      return Value(static_cast<double>(static_cast<long double>(a) / static_cast<long double>(b)));
    case Operator::floor_divide:
      return Value(floor_divide(a, b));
    case Operator::modulo:
      return Value(floor_modulo(a, b));
    default:
      return integer_power(a, b);
  }
  if (has_overflow) fail_overflow();
  return Value(result);
}

Value calculate_reals(Operator op, double a, double b) {
  switch (op) {
    case Operator::add:
      return Value(a + b);
    case Operator::subtract:
      return Value(a - b);
    case Operator::multiply:
      return Value(a * b);
    case Operator::divide:
      if (b == 0) fail_zero("float division");
      return Value(a / b);
    case Operator::floor_divide:
      if (b == 0) fail_zero("float floor division");
      return Value(floor_divide(a, b).first);
    case Operator::modulo:
      if (b == 0) fail("float modulo");
      return Value(floor_divide(a, b).second);
    default:
      return Value(real_power(a, b));
  }
}

Value add_texts(Budget& budget, const Text& a, const Text& b) {
  if (a.is_markup == b.is_markup) return make_text(budget, a.bytes + b.bytes, a.is_markup ? Markup::yes : Markup::no);
  budget.grow(6 * (a.bytes.size() + b.bytes.size()));
  return make_text(budget, a.is_markup ? a.bytes + escape_html(b.bytes) : escape_html(a.bytes) + b.bytes, Markup::yes);
}

Value add_sequences(Budget& budget, const Sequence& a, const Sequence& b) {
  budget.grow(sizeof(Value), a.items.size() + b.items.size());
  std::vector<Value> items = a.items;
  items.insert(items.end(), b.items.begin(), b.items.end());
  return a.is_tuple ? make_tuple(budget, std::move(items)) : make_list(budget, std::move(items));
}

Value add(Budget& budget, const Value& a, const Value& b) {
  if (a.is(Kind::text) && b.is(Kind::text)) return add_texts(budget, a.text(), b.text());
  if (a.is(Kind::sequence) && b.is(Kind::sequence) && a.sequence().is_tuple == b.sequence().is_tuple) {
    return add_sequences(budget, a.sequence(), b.sequence());
  }
  require_defined(b);
  if (a.is(Kind::text) || a.is(Kind::sequence)) {
    const std::string_view mine = type_name(a);
    fail(fmt::format("can only concatenate {} (not \"{}\") to {}", mine, type_name(b), mine));
  }
  fail_types(Operator::add, a, b);
}

Value repeat(Budget& budget, const Value& what, std::int64_t times) {
  const std::uint64_t count = times > 0 ? static_cast<std::uint64_t>(times) : 0;
  if (what.is(Kind::text)) {
    budget.grow(what.bytes().size(), count);
    std::string out;
    if (!what.bytes().empty()) {
      for (std::uint64_t i = 0; i < count; ++i) out += what.bytes();
    }
    return make_text(budget, std::move(out), what.text().is_markup ? Markup::yes : Markup::no);
  }
  const Sequence& sequence = what.sequence();
  budget.grow(sizeof(Value) * sequence.items.size(), count);
  std::vector<Value> items;
  if (!sequence.items.empty()) {
    for (std::uint64_t i = 0; i < count; ++i) items.insert(items.end(), sequence.items.begin(), sequence.items.end());
  }
  return sequence.is_tuple ? make_tuple(budget, std::move(items)) : make_list(budget, std::move(items));
}

bool is_repeatable(const Value& value) {
  return value.is(Kind::text) || value.is(Kind::sequence);
}
bool is_integral(const Value& value) {
  return value.is(Kind::integer) || value.is(Kind::boolean);
}

}  // namespace

Value calculate(Budget& budget, Operator op, const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    if (a.is(Kind::real) || b.is(Kind::real)) return calculate_reals(op, as_real(a), as_real(b));
    return calculate_integers(op, a.integer(), b.integer());
  }
  require_defined(a);
  if (op == Operator::add) return add(budget, a, b);
  if (op == Operator::modulo && a.is(Kind::text)) fail("formatting text with % is not supported");
  require_defined(b);
  if (op == Operator::multiply && is_repeatable(a) && is_integral(b)) return repeat(budget, a, b.integer());
  if (op == Operator::multiply && is_repeatable(b) && is_integral(a)) return repeat(budget, b, a.integer());
  if (op == Operator::multiply && (is_repeatable(a) || is_repeatable(b))) {
    fail(fmt::format("can't multiply sequence by non-int of type '{}'", type_name(is_repeatable(a) ? b : a)));
  }
  fail_types(op, a, b);
}

Value negate(const Value& value) {
  require_defined(value);
  if (value.is(Kind::real)) return Value(-value.real());
  if (!value.is_number()) fail(fmt::format("bad operand type for unary -: '{}'", type_name(value)));
  return calculate_integers(Operator::subtract, 0, value.integer());
}

Value affirm(const Value& value) {
  require_defined(value);
  if (value.is(Kind::real)) return value;
  if (!value.is_number()) fail(fmt::format("bad operand type for unary +: '{}'", type_name(value)));
  return Value(value.integer());
}

}  // namespace refserver::jinja
