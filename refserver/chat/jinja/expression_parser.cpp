// One function per level where Jinja's grammar has a rule of its own; the binary operators share one by how they bind.
#include "refserver/chat/jinja/expression_parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace refserver::jinja {
namespace {

// How strongly the binary operators bind; `not` sits between `and` and the comparisons.
constexpr int kOr = 1;
constexpr int kAnd = 2;
constexpr int kNot = 3;
constexpr int kCompare = 4;
constexpr int kConcat = 6;

struct BinaryOperator {
  int binding = 0;  ///< 0: the token is no binary operator
  ExpressionKind kind = ExpressionKind::arithmetic;
  Operator op = Operator::add;
  int tokens = 1;
};

BinaryOperator binary_operator(const TokenStream& tokens) {
  using K = ExpressionKind;
  struct Row {
    std::string_view symbol;
    BinaryOperator is;
  };
  static constexpr Row kRows[] = {
      {"+", {5, K::arithmetic, Operator::add}},
      {"-", {5, K::arithmetic, Operator::subtract}},
      {"~", {kConcat, K::concat}},
      {"*", {7, K::arithmetic, Operator::multiply}},
      {"/", {7, K::arithmetic, Operator::divide}},
      {"//", {7, K::arithmetic, Operator::floor_divide}},
      {"%", {7, K::arithmetic, Operator::modulo}},
      {"**", {8, K::arithmetic, Operator::power}},
      {"==", {kCompare, K::compare, Operator::equal}},
      {"!=", {kCompare, K::compare, Operator::not_equal}},
      {"<", {kCompare, K::compare, Operator::less}},
      {"<=", {kCompare, K::compare, Operator::less_equal}},
      {">", {kCompare, K::compare, Operator::greater}},
      {">=", {kCompare, K::compare, Operator::greater_equal}},
  };
  if (tokens.is(TokenKind::symbol)) {
    const auto row =
        std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return tokens.is_symbol(r.symbol); });
    return row != std::end(kRows) ? row->is : BinaryOperator{};
  }
  if (tokens.is_name("or")) return {kOr, K::logical_or};
  if (tokens.is_name("and")) return {kAnd, K::logical_and};
  if (tokens.is_name("in")) return {kCompare, K::compare, Operator::in};
  const bool is_not_in = tokens.is_name("not") && tokens.next().kind == TokenKind::name && tokens.next().text == "in";
  return is_not_in ? BinaryOperator{kCompare, K::compare, Operator::not_in, 2} : BinaryOperator{};
}

}  // namespace

ExpressionPtr ExpressionParser::make(ExpressionKind kind, int line) const {
  auto expression = std::make_unique<Expression>();
  expression->kind = kind;
  expression->line = line;
  return expression;
}

/// Adds an operand, or counts one that was put elsewhere; a chain of operators is as deep as it is long.
void ExpressionParser::adopt(Expression& parent, ExpressionPtr child) const {
  if (child) {
    parent.depth = std::max(parent.depth, child->depth + 1);
    if (parent.depth > tokens_.limits().max_nesting) TokenStream::fail_at("an expression is too long", parent.line);
  }
  parent.operands.push_back(std::move(child));
}

ExpressionPtr ExpressionParser::parse_expression(Conditionals conditionals) {
  return conditionals == Conditionals::allowed ? parse_conditional() : parse_binary(kOr);
}

ExpressionPtr ExpressionParser::parse_conditional() {
  const TokenStream::Level level(tokens_);
  int line = tokens_.line();
  ExpressionPtr value = parse_binary(kOr);
  while (tokens_.skip_name("if")) {
    ExpressionPtr conditional = make(ExpressionKind::conditional, line);
    adopt(*conditional, std::move(value));
    adopt(*conditional, parse_binary(kOr));
    adopt(*conditional, tokens_.skip_name("else") ? parse_conditional() : nullptr);
    value = std::move(conditional);
    line = tokens_.line();
  }
  return value;
}

ExpressionPtr ExpressionParser::parse_binary(int least_binding) {
  const TokenStream::Level level(tokens_);
  ExpressionPtr left;
  if (least_binding <= kNot && tokens_.is_name("not")) {
    left = make(ExpressionKind::logical_not, tokens_.take().line);
    adopt(*left, parse_binary(kNot));
  } else {
    left = parse_unary(true);
  }
  while (true) {
    BinaryOperator found = binary_operator(tokens_);
    if (found.binding == 0 || found.binding < least_binding) return left;
    ExpressionPtr whole = make(found.kind, left->line);
    whole->op = found.op;
    const int binding = found.binding;
    adopt(*whole, std::move(left));
    do {  // comparisons and ~ take any number of operands
      for (int i = 0; i < found.tokens; ++i) tokens_.take();
      if (binding == kCompare) whole->operators.push_back(found.op);
      adopt(*whole, parse_binary(binding + 1));
      found = binary_operator(tokens_);
    } while (found.binding == binding && (binding == kCompare || binding == kConcat));
    left = std::move(whole);
  }
}

ExpressionPtr ExpressionParser::parse_unary(bool has_filters) {
  const TokenStream::Level level(tokens_);
  ExpressionPtr value;
  if (tokens_.is_symbol("-") || tokens_.is_symbol("+")) {
    const Token sign = tokens_.take();
    value = make(sign.text == "-" ? ExpressionKind::negate : ExpressionKind::affirm, sign.line);
    adopt(*value, parse_unary(false));
  } else {
    value = parse_primary();
  }
  value = parse_postfix(std::move(value));
  return has_filters ? parse_postfix_filters(std::move(value)) : std::move(value);
}

ExpressionPtr ExpressionParser::parse_primary() {
  const int line = tokens_.line();
  if (tokens_.is(TokenKind::name)) {
    const std::string name = tokens_.take().text;
    ExpressionPtr value = make(ExpressionKind::constant, line);
    if (name == "true" || name == "True" || name == "false" || name == "False") {
      value->value = Value(name == "true" || name == "True");
    } else if (name == "none" || name == "None") {
      value->value = Value::none();
    } else {
      value->kind = ExpressionKind::name;
      value->text = name;
    }
    return value;
  }
  if (tokens_.is(TokenKind::string)) {
    std::string text;
    while (tokens_.is(TokenKind::string)) text += tokens_.take().text;
    ExpressionPtr value = make(ExpressionKind::constant, line);
    value->value = make_text_uncounted(std::move(text));
    return value;
  }
  if (tokens_.is(TokenKind::integer) || tokens_.is(TokenKind::real)) return parse_number();
  if (tokens_.is_symbol("(")) return parse_brackets();
  if (tokens_.is_symbol("[")) return parse_list();
  if (tokens_.is_symbol("{")) return parse_dict();
  tokens_.fail_expected("an expression");
}

ExpressionPtr ExpressionParser::parse_number() {
  const Token token = tokens_.take();
  ExpressionPtr value = make(ExpressionKind::constant, token.line);
  const char* first = token.text.data();
  const char* last = first + token.text.size();
  if (token.kind == TokenKind::real) {
    double real = 0;
    const auto [end, error] = std::from_chars(first, last, real);
    // Too large is infinite in Python and too small is zero; from_chars tells them apart no further.
    if (error == std::errc::result_out_of_range) real = std::strtod(first, nullptr);
    value->value = Value(real);
    return value;
  }
  const char mark = token.text.size() > 1 ? static_cast<char>(token.text[1] | 32) : '\0';
  const int base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
  std::int64_t integer = 0;
  const auto [end, error] = std::from_chars(first + (base != 10 ? 2 : 0), last, integer, base);
  if (error != std::errc()) TokenStream::fail_at("integers beyond 64 bits are not supported", token.line);
  value->value = Value(integer);
  return value;
}

ExpressionPtr ExpressionParser::parse_brackets() {
  const int line = tokens_.take().line;
  if (tokens_.skip_symbol(")")) return make(ExpressionKind::tuple, line);
  ExpressionPtr value = parse_tuple();
  tokens_.expect_symbol(")");
  return value;
}

bool ExpressionParser::ends_tuple(std::string_view end) const {
  return tokens_.is(TokenKind::variable_end) || tokens_.is(TokenKind::block_end) || tokens_.is_symbol(")") ||
         (!end.empty() && tokens_.is_name(end));
}

ExpressionPtr ExpressionParser::parse_tuple(Conditionals conditionals) {
  const int line = tokens_.line();
  ExpressionPtr first = parse_expression(conditionals);
  if (!tokens_.is_symbol(",")) return first;
  ExpressionPtr tuple = make(ExpressionKind::tuple, line);
  adopt(*tuple, std::move(first));
  const std::string_view end = conditionals == Conditionals::refused ? "recursive" : "";
  while (tokens_.skip_symbol(",") && !ends_tuple(end)) adopt(*tuple, parse_expression(conditionals));
  return tuple;
}

ExpressionPtr ExpressionParser::parse_list() {
  ExpressionPtr list = make(ExpressionKind::list, tokens_.take().line);
  while (!tokens_.skip_symbol("]")) {
    if (!list->operands.empty()) {
      tokens_.expect_symbol(",");
      if (tokens_.skip_symbol("]")) break;
    }
    adopt(*list, parse_expression());
  }
  return list;
}

ExpressionPtr ExpressionParser::parse_dict() {
  ExpressionPtr dict = make(ExpressionKind::dict, tokens_.take().line);
  while (!tokens_.skip_symbol("}")) {
    if (!dict->operands.empty()) {
      tokens_.expect_symbol(",");
      if (tokens_.skip_symbol("}")) break;
    }
    adopt(*dict, parse_expression());
    tokens_.expect_symbol(":");
    adopt(*dict, parse_expression());
  }
  return dict;
}

}  // namespace refserver::jinja
