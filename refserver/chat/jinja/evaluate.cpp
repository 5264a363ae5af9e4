// Expressions in motion.
#include <fmt/format.h>

#include "refserver/chat/jinja/builtins.hpp"
#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/interpreter.hpp"
#include "refserver/chat/jinja/operators.hpp"
#include "refserver/chat/jinja/print.hpp"

namespace refserver::jinja {

Value Interpreter::evaluate(const Expression& expression, Frame& frame) {
  budget_.step();
  if (expression.kind == ExpressionKind::constant) return expression.value;
  if (expression.kind == ExpressionKind::name) return evaluate_name(expression, frame);
  const Budget::Level level(budget_);
  line_ = expression.line;
  const auto operand = [&](std::size_t i) { return evaluate(*expression.operands[i], frame); };
  switch (expression.kind) {
    case ExpressionKind::tuple:
    case ExpressionKind::list:
    case ExpressionKind::dict:
      return evaluate_collection(expression, frame);
    case ExpressionKind::negate:
      return negate(operand(0));
    case ExpressionKind::affirm:
      return affirm(operand(0));
    case ExpressionKind::logical_not:
      return Value(!is_true(operand(0)));
    case ExpressionKind::logical_and: {
      Value left = operand(0);
      return is_true(left) ? operand(1) : left;
    }
    case ExpressionKind::logical_or: {
      Value left = operand(0);
      return is_true(left) ? left : operand(1);
    }
    case ExpressionKind::arithmetic: {
      const Value left = operand(0);
      return calculate(budget_, expression.op, left, operand(1));
    }
    case ExpressionKind::compare:
      return evaluate_compare(expression, frame);
    case ExpressionKind::concat:
      return evaluate_concat(expression, frame);
    case ExpressionKind::conditional:
      return evaluate_conditional(expression, frame);
    case ExpressionKind::attribute:
      return get_attribute(operand(0), expression.text);
    case ExpressionKind::item: {
      const Value owner = operand(0);
      return get_item(owner, operand(1));
    }
    case ExpressionKind::slice:
      return evaluate_slice(expression, frame);
    case ExpressionKind::call:
      return evaluate_call(expression, frame, nullptr);
    case ExpressionKind::filter:
      return evaluate_filter(expression, frame, nullptr);
    case ExpressionKind::test:
      return evaluate_test(expression, frame);
    default:
      fail("an expression of an unknown kind");
  }
}

Value Interpreter::evaluate_name(const Expression& expression, Frame& frame) {
  const Value& value = slot(frame, expression.slot);
  return value.is(Kind::missing) ? undefined_name(expression.text) : value;
}

Value Interpreter::evaluate_collection(const Expression& expression, Frame& frame) {
  std::vector<Value> items;
  items.reserve(expression.operands.size());
  for (const auto& operand : expression.operands) items.push_back(evaluate(*operand, frame));
  if (expression.kind == ExpressionKind::tuple) return make_tuple(budget_, std::move(items));
  if (expression.kind == ExpressionKind::list) return make_list(budget_, std::move(items));
  std::vector<std::pair<Value, Value>> entries;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2)
    entries.emplace_back(std::move(items[i]), std::move(items[i + 1]));
  return make_dict(budget_, std::move(entries));
}

Value Interpreter::evaluate_compare(const Expression& expression, Frame& frame) {
  Value left = evaluate(*expression.operands[0], frame);
  for (std::size_t i = 0; i < expression.operators.size(); ++i) {
    Value right = evaluate(*expression.operands[i + 1], frame);
    if (!compare(budget_, expression.operators[i], left, right)) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Value Interpreter::evaluate_concat(const Expression& expression, Frame& frame) {
  std::vector<Value> parts;
  for (const auto& operand : expression.operands) parts.push_back(evaluate(*operand, frame));
  std::string out;
  for (const Value& part : parts) {
    append_text(budget_, out, part);
    if (out.size() > budget_.limits().max_value_bytes) break;  // make_text says so
  }
  return make_text(budget_, std::move(out));
}

Value Interpreter::evaluate_conditional(const Expression& expression, Frame& frame) {
  if (is_true(evaluate(*expression.operands[1], frame))) return evaluate(*expression.operands[0], frame);
  if (expression.operands[2]) return evaluate(*expression.operands[2], frame);
  return undefined_hint(fmt::format(
      "the inline if-expression on line {} evaluated to false and no else section was defined.", expression.line));
}

Value Interpreter::evaluate_slice(const Expression& expression, Frame& frame) {
  const auto part = [&](std::size_t i) {
    return expression.operands[i] ? evaluate(*expression.operands[i], frame) : Value::none();
  };
  const Value container = part(0);
  const Value start = part(1);
  const Value stop = part(2);
  return get_slice(budget_, container, {start, stop, part(3)});
}

Arguments Interpreter::evaluate_arguments(const Expression& expression, Frame& frame) {
  Arguments arguments;
  for (std::size_t i = 1; i < expression.operands.size(); ++i) {
    arguments.positional.push_back(evaluate(*expression.operands[i], frame));
  }
  const auto add_keyword = [&](const std::string& name, Value value) {
    for (const auto& given : arguments.keywords) {
      if (given.first == name) fail(fmt::format("got multiple values for keyword argument {}", quoted(name)));
    }
    arguments.keywords.emplace_back(name, std::move(value));
  };
  for (const auto& [name, value] : expression.keywords) add_keyword(name, evaluate(*value, frame));
  if (expression.star) {
    const std::vector<Value> more = collect(budget_, evaluate(*expression.star, frame));
    arguments.positional.insert(arguments.positional.end(), more.begin(), more.end());
  }
  if (expression.double_star) {
    const Value more = evaluate(*expression.double_star, frame);
    require_defined(more);
    if (!more.is(Kind::dict)) fail("argument after ** must be a mapping");
    budget_.step(more.dict().entries.size() * (more.dict().entries.size() + arguments.keywords.size()));
    for (const auto& [name, value] : more.dict().entries) {
      if (!name.is(Kind::text)) fail("keywords must be strings");
      add_keyword(name.bytes(), value);
    }
  }
  return arguments;
}

Value Interpreter::evaluate_call(const Expression& expression, Frame& frame, const Value* caller) {
  const Value callee = evaluate(*expression.operands[0], frame);
  Arguments arguments = evaluate_arguments(expression, frame);
  if (caller != nullptr) arguments.keywords.emplace_back("caller", *caller);
  line_ = expression.line;
  Value result = call(callee, std::move(arguments));
  line_ = expression.line;
  return result;
}

Value Interpreter::evaluate_filter(const Expression& expression, Frame& frame, const Value* subject) {
  // The first of a block's filters has no operand: it gets the block's text.
  const ExpressionPtr& operand = expression.operands[0];
  Value value;
  if (!operand) {
    value = *subject;
  } else if (subject != nullptr) {
    value = evaluate_filter(*operand, frame, subject);
  } else {
    value = evaluate(*operand, frame);
  }
  Arguments arguments = evaluate_arguments(expression, frame);
  line_ = expression.line;
  if (expression.filter == nullptr) fail(fmt::format("No filter named {} found.", quoted(expression.text)));
  return expression.filter(*this, value, arguments);
}

Value Interpreter::evaluate_test(const Expression& expression, Frame& frame) {
  const Value value = evaluate(*expression.operands[0], frame);
  Arguments arguments = evaluate_arguments(expression, frame);
  line_ = expression.line;
  if (expression.test == nullptr) fail(fmt::format("No test named {} found.", quoted(expression.text)));
  return Value(expression.test(*this, value, arguments));
}

}  // namespace refserver::jinja
