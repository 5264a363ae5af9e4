// What may follow `is`.
#include <algorithm>

#include "refserver/chat/jinja/arguments.hpp"
#include "refserver/chat/jinja/builtins.hpp"
#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/interpreter.hpp"
#include "refserver/chat/jinja/operators.hpp"
#include "refserver/chat/jinja/print.hpp"
#include "refserver/chat/jinja/text.hpp"

namespace refserver::jinja {
namespace {

bool is_kind(const Value& value, Kind kind, Arguments& arguments) {
  bind_none("test", arguments);
  return value.is(kind);
}

bool test_defined(Interpreter&, const Value& subject, Arguments& a) {
  return !is_kind(subject, Kind::undefined, a);
}
bool test_undefined(Interpreter&, const Value& subject, Arguments& a) {
  return is_kind(subject, Kind::undefined, a);
}
bool test_none(Interpreter&, const Value& subject, Arguments& a) {
  return is_kind(subject, Kind::none, a);
}
bool test_boolean(Interpreter&, const Value& subject, Arguments& a) {
  return is_kind(subject, Kind::boolean, a);
}
bool test_integer(Interpreter&, const Value& subject, Arguments& a) {
  return is_kind(subject, Kind::integer, a);
}
bool test_float(Interpreter&, const Value& subject, Arguments& a) {
  return is_kind(subject, Kind::real, a);
}
bool test_string(Interpreter&, const Value& subject, Arguments& a) {
  return is_kind(subject, Kind::text, a);
}
bool test_mapping(Interpreter&, const Value& subject, Arguments& a) {
  return is_kind(subject, Kind::dict, a);
}
bool test_true(Interpreter&, const Value& subject, Arguments& a) {
  return is_kind(subject, Kind::boolean, a) && subject.boolean();
}
bool test_false(Interpreter&, const Value& subject, Arguments& a) {
  return is_kind(subject, Kind::boolean, a) && !subject.boolean();
}

bool test_number(Interpreter&, const Value& subject, Arguments& arguments) {
  bind_none("number", arguments);
  return subject.is_number();
}

bool test_sequence(Interpreter&, const Value& subject, Arguments& arguments) {
  bind_none("sequence", arguments);
  return has_length(subject) && !subject.is_object(ObjectKind::view) && !subject.is_object(ObjectKind::loop);
}

bool test_iterable(Interpreter&, const Value& subject, Arguments& arguments) {
  bind_none("iterable", arguments);
  return is_iterable(subject);
}

bool test_callable(Interpreter&, const Value& subject, Arguments& arguments) {
  bind_none("callable", arguments);
  // Jinja's undefined value has a method for being called, which fails.
  return subject.is_object(ObjectKind::function) || subject.is(Kind::undefined);
}

bool test_escaped(Interpreter&, const Value& subject, Arguments& arguments) {
  bind_none("escaped", arguments);
  return subject.is(Kind::text) && subject.text().is_markup;
}

bool has_rest(Interpreter& interpreter, const Value& subject, const Value& divisor, std::int64_t rest) {
  const Value remainder = calculate(interpreter.budget(), Operator::modulo, subject, divisor);
  return is_equal(interpreter.budget(), remainder, Value(rest));
}

bool test_odd(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  bind_none("odd", arguments);
  return has_rest(interpreter, subject, Value(std::int64_t{2}), 1);
}

bool test_even(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  bind_none("even", arguments);
  return has_rest(interpreter, subject, Value(std::int64_t{2}), 0);
}

bool test_divisible(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  return has_rest(interpreter, subject, bind("divisibleby", arguments, {"num"}, 1)[0], 0);
}

/// Whether there are letters and all that have a case have this one.
bool has_case(Interpreter& interpreter, const Value& subject, LetterCase wanted) {
  const std::string text = to_text(interpreter.budget(), subject);
  bool has_letter = false;
  for (std::size_t at = 0; at < text.size();) {
    const LetterCase is = letter_case(next_code_point(text, at));
    if (is == LetterCase::none) continue;
    if (is != wanted) return false;
    has_letter = true;
  }
  return has_letter;
}

bool test_lower(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  bind_none("lower", arguments);
  return has_case(interpreter, subject, LetterCase::lower);
}

bool test_upper(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  bind_none("upper", arguments);
  return has_case(interpreter, subject, LetterCase::upper);
}

bool test_same_as(Interpreter&, const Value& subject, Arguments& arguments) {
  return subject.is_same(bind("sameas", arguments, {"other"}, 1)[0]);
}

bool test_filter(Interpreter&, const Value& subject, Arguments& arguments) {
  bind_none("filter", arguments);
  return subject.is(Kind::text) && (find_filter(subject.bytes()) != nullptr || is_unsupported_filter(subject.bytes()));
}

bool test_test(Interpreter&, const Value& subject, Arguments& arguments) {
  bind_none("test", arguments);
  return subject.is(Kind::text) && find_test(subject.bytes()) != nullptr;
}

bool test_in(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  return contains(interpreter.budget(), bind("in", arguments, {"seq"}, 1)[0], subject);
}

template <Operator op>
bool test_operator(Interpreter& interpreter, const Value& subject, Arguments& arguments) {
  if (arguments.positional.size() != 1 || !arguments.keywords.empty())
    fail("a comparison needs one value to compare with");
  return compare(interpreter.budget(), op, subject, arguments.positional[0]);
}

struct Row {
  std::string_view name;
  Test call;
};

constexpr Row kRows[] = {
    {"defined", test_defined},
    {"undefined", test_undefined},
    {"none", test_none},
    {"boolean", test_boolean},
    {"integer", test_integer},
    {"float", test_float},
    {"string", test_string},
    {"mapping", test_mapping},
    {"true", test_true},
    {"false", test_false},
    {"number", test_number},
    {"sequence", test_sequence},
    {"iterable", test_iterable},
    {"callable", test_callable},
    {"escaped", test_escaped},
    {"odd", test_odd},
    {"even", test_even},
    {"divisibleby", test_divisible},
    {"lower", test_lower},
    {"upper", test_upper},
    {"sameas", test_same_as},
    {"filter", test_filter},
    {"test", test_test},
    {"in", test_in},
    {"==", test_operator<Operator::equal>},
    {"eq", test_operator<Operator::equal>},
    {"equalto", test_operator<Operator::equal>},
    {"!=", test_operator<Operator::not_equal>},
    {"ne", test_operator<Operator::not_equal>},
    {">", test_operator<Operator::greater>},
    {"gt", test_operator<Operator::greater>},
    {"greaterthan", test_operator<Operator::greater>},
    {">=", test_operator<Operator::greater_equal>},
    {"ge", test_operator<Operator::greater_equal>},
    {"<", test_operator<Operator::less>},
    {"lt", test_operator<Operator::less>},
    {"lessthan", test_operator<Operator::less>},
    {"<=", test_operator<Operator::less_equal>},
    {"le", test_operator<Operator::less_equal>},
};

}  // namespace

Test find_test(std::string_view name) {
  const auto row = std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return r.name == name; });
  return row == std::end(kRows) ? nullptr : row->call;
}

}  // namespace refserver::jinja
