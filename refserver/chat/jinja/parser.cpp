// Statements of a template: {% if %}, {% for %}, {% set %} and the rest.
#include "refserver/chat/jinja/parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include "refserver/chat/jinja/expression_parser.hpp"
#include "refserver/chat/jinja/token_stream.hpp"

namespace refserver::jinja {
namespace {

using Ends = std::initializer_list<std::string_view>;

/// A loop's test has a scope of its own, so its target has other slots there.
ExpressionPtr copy_target(const Expression& target) {
  auto copy = std::make_unique<Expression>();
  copy->kind = target.kind;
  copy->line = target.line;
  copy->text = target.text;
  for (const auto& part : target.operands) copy->operands.push_back(copy_target(*part));
  return copy;
}

class StatementParser {
 public:
  StatementParser(std::string_view source, const Limits& limits)
      : tokens_(tokenize(source), limits), expressions_(tokens_) {}

  Block parse_all() { return parse_until({}); }

 private:
  using StatementPtr = std::unique_ptr<Statement>;

  Block parse_until(Ends ends);
  Block parse_body(Ends ends);
  Block parse_body_to(std::string_view end);
  StatementPtr parse_statement();
  StatementPtr parse_if();
  StatementPtr parse_for();
  StatementPtr parse_set();
  StatementPtr parse_macro();
  StatementPtr parse_call_block();
  StatementPtr parse_filter_block();
  StatementPtr parse_with();
  StatementPtr parse_generation();
  StatementPtr parse_loop_control();
  void parse_print(Block& block);
  void parse_signature(MacroPlan& macro);
  StatementPtr make(StatementKind kind, int line) const;
  [[noreturn]] void fail_unknown(const std::string& tag, int line) const;

  TokenStream tokens_;
  ExpressionParser expressions_;
};

StatementParser::StatementPtr StatementParser::make(StatementKind kind, int line) const {
  auto statement = std::make_unique<Statement>();
  statement->kind = kind;
  statement->line = line;
  return statement;
}

/// Statements up to a tag of one of these names, whose name is then the current token; or, for none, to the end.
Block StatementParser::parse_until(Ends ends) {
  const TokenStream::Level level(tokens_);
  Block block;
  while (!tokens_.is(TokenKind::end)) {
    const int line = tokens_.line();
    if (tokens_.is(TokenKind::data)) {
      block.push_back(make(StatementKind::text, line));
      block.back()->text = tokens_.take().text;
    } else if (tokens_.is(TokenKind::variable_begin)) {
      tokens_.take();
      block.push_back(make(StatementKind::print, line));
      block.back()->expression = expressions_.parse_tuple();
      tokens_.expect(TokenKind::variable_end);
    } else {
      tokens_.expect(TokenKind::block_begin);
      if (std::any_of(ends.begin(), ends.end(), [&](std::string_view end) { return tokens_.is_name(end); }))
        return block;
      if (tokens_.is_name("print")) {
        parse_print(block);
      } else {
        block.push_back(parse_statement());
      }
      tokens_.expect(TokenKind::block_end);
    }
  }
  if (ends.size() != 0)
    TokenStream::fail_at(fmt::format("the template ends before '{}'", *(ends.end() - 1)), tokens_.line());
  return block;
}

/// The rest of the opening tag, and the statements inside.
Block StatementParser::parse_body(Ends ends) {
  tokens_.skip_symbol(":");
  tokens_.expect(TokenKind::block_end);
  return parse_until(ends);
}

Block StatementParser::parse_body_to(std::string_view end) {
  Block body = parse_body({end});
  tokens_.take();
  return body;
}

StatementParser::StatementPtr StatementParser::parse_statement() {
  using Parse = StatementPtr (StatementParser::*)();
  struct Row {
    std::string_view tag;
    Parse parse;
  };
  static constexpr Row kRows[] = {
      {"if", &StatementParser::parse_if},
      {"for", &StatementParser::parse_for},
      {"set", &StatementParser::parse_set},
      {"macro", &StatementParser::parse_macro},
      {"call", &StatementParser::parse_call_block},
      {"filter", &StatementParser::parse_filter_block},
      {"with", &StatementParser::parse_with},
      {"generation", &StatementParser::parse_generation},
      {"break", &StatementParser::parse_loop_control},
      {"continue", &StatementParser::parse_loop_control},
  };
  if (!tokens_.is(TokenKind::name)) tokens_.fail_expected("the name of a statement");
  const auto row =
      std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return tokens_.is_name(r.tag); });
  if (row == std::end(kRows)) fail_unknown(tokens_.now().text, tokens_.line());
  return (this->*row->parse)();
}

void StatementParser::fail_unknown(const std::string& tag, int line) const {
  constexpr std::string_view kUnsupported[] = {"block", "extends", "include", "import", "from", "autoescape"};
  const bool is_known = std::find(std::begin(kUnsupported), std::end(kUnsupported), tag) != std::end(kUnsupported);
  if (is_known) TokenStream::fail_at(fmt::format("the statement '{}' is not supported", tag), line);
  TokenStream::fail_at(fmt::format("unknown statement '{}'", tag), line);
}

StatementParser::StatementPtr StatementParser::parse_if() {
  StatementPtr statement = make(StatementKind::branch, tokens_.take().line);
  while (true) {
    ExpressionPtr test = expressions_.parse_tuple(Conditionals::refused);
    Block body = parse_body({"elif", "else", "endif"});
    statement->branches.emplace_back(std::move(test), std::move(body));
    const std::string tag = tokens_.take().text;
    if (tag == "elif") continue;
    if (tag == "else") statement->otherwise = parse_body_to("endif");
    return statement;
  }
}

StatementParser::StatementPtr StatementParser::parse_for() {
  StatementPtr statement = make(StatementKind::loop, tokens_.take().line);
  statement->target = expressions_.parse_target(ExpressionParser::Targets::names, "in");
  tokens_.expect_name("in");
  statement->expression = expressions_.parse_tuple(Conditionals::refused);
  if (tokens_.skip_name("if")) {
    statement->test = expressions_.parse_expression();
    statement->test_target = copy_target(*statement->target);
  }
  if (tokens_.is_name("recursive")) TokenStream::fail_at("recursive loops are not supported", tokens_.line());
  statement->body = parse_body({"endfor", "else"});
  if (tokens_.take().text == "else") statement->otherwise = parse_body_to("endfor");
  return statement;
}

StatementParser::StatementPtr StatementParser::parse_set() {
  StatementPtr statement = make(StatementKind::assign, tokens_.take().line);
  statement->target = expressions_.parse_target(ExpressionParser::Targets::names_and_namespaces);
  if (tokens_.skip_symbol("=")) {
    statement->expression = expressions_.parse_tuple();
    return statement;
  }
  statement->kind = StatementKind::assign_block;
  statement->expression = expressions_.parse_filters(nullptr, false);
  statement->body = parse_body_to("endset");
  return statement;
}

void StatementParser::parse_signature(MacroPlan& macro) {
  tokens_.expect_symbol("(");
  while (!tokens_.skip_symbol(")")) {
    if (!macro.parameters.empty()) tokens_.expect_symbol(",");
    Parameter parameter;
    const int line = tokens_.line();
    parameter.name = expressions_.parse_target_name()->text;
    const bool has_earlier_default = !macro.parameters.empty() && macro.parameters.back().otherwise;
    const bool is_repeated = std::any_of(macro.parameters.begin(), macro.parameters.end(),
                                         [&](const Parameter& p) { return p.name == parameter.name; });
    if (is_repeated) TokenStream::fail_at(fmt::format("parameter '{}' is there twice", parameter.name), line);
    if (tokens_.skip_symbol("=")) {
      parameter.otherwise = expressions_.parse_expression();
    } else if (has_earlier_default) {
      TokenStream::fail_at(fmt::format("parameter '{}' needs a default like the one before it", parameter.name), line);
    }
    macro.parameters.push_back(std::move(parameter));
  }
}

StatementParser::StatementPtr StatementParser::parse_macro() {
  StatementPtr statement = make(StatementKind::macro, tokens_.take().line);
  statement->macro.name = expressions_.parse_target_name()->text;
  parse_signature(statement->macro);
  statement->body = parse_body_to("endmacro");
  return statement;
}

StatementParser::StatementPtr StatementParser::parse_call_block() {
  StatementPtr statement = make(StatementKind::call_block, tokens_.take().line);
  if (tokens_.is_symbol("(")) parse_signature(statement->macro);
  statement->expression = expressions_.parse_expression();
  if (statement->expression->kind != ExpressionKind::call)
    TokenStream::fail_at("expected a call after `call`", statement->line);
  statement->body = parse_body_to("endcall");
  return statement;
}

StatementParser::StatementPtr StatementParser::parse_filter_block() {
  StatementPtr statement = make(StatementKind::filter_block, tokens_.take().line);
  statement->expression = expressions_.parse_filters(nullptr, true);
  statement->body = parse_body_to("endfilter");
  return statement;
}

StatementParser::StatementPtr StatementParser::parse_with() {
  StatementPtr statement = make(StatementKind::with, tokens_.take().line);
  while (!tokens_.is(TokenKind::block_end)) {
    if (!statement->bindings.empty()) tokens_.expect_symbol(",");
    ExpressionPtr target = expressions_.parse_target_name();
    tokens_.expect_symbol("=");
    statement->bindings.emplace_back(std::move(target), expressions_.parse_expression());
  }
  statement->body = parse_body_to("endwith");
  return statement;
}

/// What trainers mark as the model's own words; it only makes a scope.
StatementParser::StatementPtr StatementParser::parse_generation() {
  StatementPtr statement = make(StatementKind::scope, tokens_.take().line);
  statement->body = parse_body_to("endgeneration");
  return statement;
}

StatementParser::StatementPtr StatementParser::parse_loop_control() {
  const Token token = tokens_.take();
  return make(token.text == "break" ? StatementKind::loop_break : StatementKind::loop_continue, token.line);
}

void StatementParser::parse_print(Block& block) {
  const int line = tokens_.take().line;
  bool is_first = true;
  while (!tokens_.is(TokenKind::block_end)) {
    if (!is_first) tokens_.expect_symbol(",");
    is_first = false;
    block.push_back(make(StatementKind::print, line));
    block.back()->expression = expressions_.parse_expression();
  }
}

}  // namespace

Template parse(std::string_view source, const Limits& limits) {
  Template parsed;
  parsed.body = StatementParser(source, limits).parse_all();
  return parsed;
}

}  // namespace refserver::jinja
