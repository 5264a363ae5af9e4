// Expressions of a template: precedence climbing over the tokens of a tag.
#pragma once

#include "refserver/chat/jinja/ast.hpp"
#include "refserver/chat/jinja/token_stream.hpp"

namespace refserver::jinja {

/// Whether `a if b else c` may stand there: not where an `if` means something else.
enum class Conditionals : std::uint8_t { allowed, refused };

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  ExpressionPtr parse_expression(Conditionals conditionals = Conditionals::allowed);
  /// One expression or, where a comma follows, a tuple of them without brackets.
  ExpressionPtr parse_tuple(Conditionals conditionals = Conditionals::allowed);
  /// What can be assigned to. `end` is the name that may follow a last comma.
  enum class Targets : std::uint8_t { names, names_and_namespaces };
  ExpressionPtr parse_target(Targets targets, std::string_view end = {});
  ExpressionPtr parse_target_name();
  /// Filters after a `|` (or the first without one) around `value`, which may be null for a block's text.
  ExpressionPtr parse_filters(ExpressionPtr value, bool is_first_bare);

 private:
  ExpressionPtr parse_conditional();
  ExpressionPtr parse_binary(int least_binding);
  ExpressionPtr parse_unary(bool has_filters);
  ExpressionPtr parse_primary();
  ExpressionPtr parse_number();
  ExpressionPtr parse_brackets();
  ExpressionPtr parse_list();
  ExpressionPtr parse_dict();
  ExpressionPtr parse_postfix(ExpressionPtr value);
  ExpressionPtr parse_postfix_filters(ExpressionPtr value);
  ExpressionPtr parse_attribute(ExpressionPtr value);
  ExpressionPtr parse_subscript(ExpressionPtr value);
  ExpressionPtr parse_test(ExpressionPtr value);
  void parse_arguments(Expression& call);
  ExpressionPtr parse_target_part(Targets targets);
  bool ends_tuple(std::string_view end) const;

  ExpressionPtr make(ExpressionKind kind, int line) const;
  void adopt(Expression& parent, ExpressionPtr child) const;

  TokenStream& tokens_;
};

}  // namespace refserver::jinja
