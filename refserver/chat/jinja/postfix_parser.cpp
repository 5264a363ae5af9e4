// What may follow a value: .name, [index], (arguments), |filter and `is` test; and what can be assigned to.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "refserver/chat/jinja/expression_parser.hpp"

namespace refserver::jinja {

ExpressionPtr ExpressionParser::parse_postfix(ExpressionPtr value) {
  while (true) {
    if (tokens_.is_symbol(".")) {
      value = parse_attribute(std::move(value));
    } else if (tokens_.is_symbol("[")) {
      value = parse_subscript(std::move(value));
    } else if (tokens_.is_symbol("(")) {
      ExpressionPtr call = make(ExpressionKind::call, tokens_.line());
      adopt(*call, std::move(value));
      parse_arguments(*call);
      value = std::move(call);
    } else {
      return value;
    }
  }
}

ExpressionPtr ExpressionParser::parse_postfix_filters(ExpressionPtr value) {
  while (true) {
    if (tokens_.is_symbol("|")) {
      value = parse_filters(std::move(value), false);
    } else if (tokens_.is_name("is")) {
      value = parse_test(std::move(value));
    } else if (tokens_.is_symbol("(")) {
      ExpressionPtr call = make(ExpressionKind::call, tokens_.line());
      adopt(*call, std::move(value));
      parse_arguments(*call);
      value = std::move(call);
    } else {
      return value;
    }
  }
}

ExpressionPtr ExpressionParser::parse_attribute(ExpressionPtr value) {
  const int line = tokens_.take().line;
  if (tokens_.is(TokenKind::integer)) {
    ExpressionPtr item = make(ExpressionKind::item, line);
    adopt(*item, std::move(value));
    adopt(*item, parse_number());
    return item;
  }
  ExpressionPtr attribute = make(ExpressionKind::attribute, line);
  adopt(*attribute, std::move(value));
  attribute->text = tokens_.expect_any_name();
  return attribute;
}

ExpressionPtr ExpressionParser::parse_subscript(ExpressionPtr value) {
  const int line = tokens_.take().line;
  ExpressionPtr start = tokens_.is_symbol(":") ? nullptr : parse_expression();
  if (tokens_.is_symbol(",")) TokenStream::fail_at("a subscript with a comma is not supported", line);
  if (!tokens_.is_symbol(":")) {
    ExpressionPtr item = make(ExpressionKind::item, line);
    adopt(*item, std::move(value));
    adopt(*item, std::move(start));
    tokens_.expect_symbol("]");
    return item;
  }
  ExpressionPtr slice = make(ExpressionKind::slice, line);
  adopt(*slice, std::move(value));
  adopt(*slice, std::move(start));
  for (int part = 0; part < 2; ++part) {  // stop and step, each after its colon
    const bool has_colon = tokens_.skip_symbol(":");
    const bool is_empty = tokens_.is_symbol(":") || tokens_.is_symbol("]") || tokens_.is_symbol(",");
    adopt(*slice, has_colon && !is_empty ? parse_expression() : nullptr);
  }
  if (tokens_.is_symbol(",")) TokenStream::fail_at("a subscript with a comma is not supported", line);
  tokens_.expect_symbol("]");
  return slice;
}

void ExpressionParser::parse_arguments(Expression& call) {
  const int line = tokens_.take().line;
  const auto count_depth = [&](const ExpressionPtr& argument) {
    call.depth = std::max(call.depth, argument->depth + 1);
  };
  bool is_first = true;
  while (!tokens_.is_symbol(")")) {
    if (!is_first) {
      tokens_.expect_symbol(",");
      if (tokens_.is_symbol(")")) break;
    }
    is_first = false;
    const bool is_last_kind = call.double_star != nullptr;
    const bool is_keyword =
        tokens_.is(TokenKind::name) && tokens_.next().kind == TokenKind::symbol && tokens_.next().text == "=";
    bool is_misplaced = is_last_kind;
    if (tokens_.skip_symbol("*")) {
      is_misplaced = is_misplaced || call.star;
      call.star = parse_expression();
      count_depth(call.star);
    } else if (tokens_.skip_symbol("**")) {
      call.double_star = parse_expression();
      count_depth(call.double_star);
    } else if (is_keyword) {
      std::string name = tokens_.take().text;
      tokens_.take();
      const bool is_repeated =
          std::any_of(call.keywords.begin(), call.keywords.end(), [&](const auto& k) { return k.first == name; });
      if (is_repeated) TokenStream::fail_at(fmt::format("keyword argument repeated: {}", name), line);
      call.keywords.emplace_back(std::move(name), parse_expression());
      count_depth(call.keywords.back().second);
    } else {
      is_misplaced = is_misplaced || call.star || !call.keywords.empty();
      adopt(call, parse_expression());
    }
    if (is_misplaced) TokenStream::fail_at("invalid order of arguments in a call", line);
  }
  tokens_.expect_symbol(")");
}

ExpressionPtr ExpressionParser::parse_filters(ExpressionPtr value, bool is_first_bare) {
  while (is_first_bare || tokens_.skip_symbol("|")) {
    is_first_bare = false;
    ExpressionPtr filter = make(ExpressionKind::filter, tokens_.line());
    filter->text = tokens_.expect_any_name();
    while (tokens_.skip_symbol(".")) filter->text += "." + tokens_.expect_any_name();
    adopt(*filter, std::move(value));
    if (tokens_.is_symbol("(")) parse_arguments(*filter);
    value = std::move(filter);
  }
  return value;
}

ExpressionPtr ExpressionParser::parse_test(ExpressionPtr value) {
  const int line = tokens_.take().line;
  const bool is_negated = tokens_.skip_name("not");
  ExpressionPtr test = make(ExpressionKind::test, line);
  test->text = tokens_.expect_any_name();
  while (tokens_.skip_symbol(".")) test->text += "." + tokens_.expect_any_name();
  adopt(*test, std::move(value));
  const bool is_value = tokens_.is(TokenKind::name) || tokens_.is(TokenKind::string) ||
                        tokens_.is(TokenKind::integer) || tokens_.is(TokenKind::real) || tokens_.is_symbol("[") ||
                        tokens_.is_symbol("{");
  if (tokens_.is_symbol("(")) {
    parse_arguments(*test);
  } else if (is_value && !tokens_.is_name("else") && !tokens_.is_name("or") && !tokens_.is_name("and")) {
    if (tokens_.is_name("is")) TokenStream::fail_at("tests cannot be chained with `is`", line);
    adopt(*test, parse_postfix(parse_primary()));
  }
  if (!is_negated) return test;
  ExpressionPtr negation = make(ExpressionKind::logical_not, line);
  adopt(*negation, std::move(test));
  return negation;
}

ExpressionPtr ExpressionParser::parse_target_name() {
  ExpressionPtr name = make(ExpressionKind::name, tokens_.line());
  name->text = tokens_.expect_any_name();
  constexpr std::string_view kConstants[] = {"true", "True", "false", "False", "none", "None"};
  if (std::find(std::begin(kConstants), std::end(kConstants), name->text) != std::end(kConstants)) {
    TokenStream::fail_at(fmt::format("cannot assign to '{}'", name->text), name->line);
  }
  return name;
}

ExpressionPtr ExpressionParser::parse_target_part(Targets targets) {
  const TokenStream::Level level(tokens_);
  if (tokens_.skip_symbol("(")) {
    ExpressionPtr inside = parse_target(Targets::names);
    tokens_.expect_symbol(")");
    return inside;
  }
  ExpressionPtr name = parse_target_name();
  if (targets == Targets::names_and_namespaces && tokens_.skip_symbol(".")) {
    ExpressionPtr attribute = make(ExpressionKind::namespace_attribute, name->line);
    attribute->text = tokens_.expect_any_name();
    adopt(*attribute, std::move(name));
    return attribute;
  }
  return name;
}

ExpressionPtr ExpressionParser::parse_target(Targets targets, std::string_view end) {
  const int line = tokens_.line();
  ExpressionPtr first = parse_target_part(targets);
  if (!tokens_.is_symbol(",")) return first;
  ExpressionPtr tuple = make(ExpressionKind::tuple, line);
  adopt(*tuple, std::move(first));
  while (tokens_.skip_symbol(",") && !ends_tuple(end)) adopt(*tuple, parse_target_part(targets));
  return tuple;
}

}  // namespace refserver::jinja
