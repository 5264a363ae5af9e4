// A walk over everything below a statement, in the order that Jinja looks at it.
#include "refserver/chat/jinja/mentions.hpp"

#include <algorithm>

namespace refserver::jinja {
namespace {

class Walk {
 public:
  explicit Walk(std::set<std::string_view> names) : names_(std::move(names)) {}

  void visit(const Block& block) {
    for (const auto& statement : block) visit(*statement);
  }
  void visit(const Statement& statement);
  const std::set<std::string_view>& found() const { return found_; }
  int assigned_line() const { return assigned_line_; }

 private:
  void visit(const Expression* expression);
  void visit_target(const Expression* target);
  void visit_parameters(const MacroPlan& macro);
  void assign(std::string_view name, int line) {
    if (names_.erase(name) != 0 && assigned_line_ == 0) assigned_line_ = line;
  }

  std::set<std::string_view> names_;
  std::set<std::string_view> found_;
  int assigned_line_ = 0;
};

void Walk::visit(const Expression* expression) {
  if (expression == nullptr) return;
  if (expression->kind == ExpressionKind::name && names_.contains(expression->text)) {
    found_.insert(*names_.find(expression->text));
  }
  for (const auto& operand : expression->operands) visit(operand.get());
  for (const auto& [name, value] : expression->keywords) visit(value.get());
  visit(expression->star.get());
  visit(expression->double_star.get());
}

void Walk::visit_target(const Expression* target) {
  if (target == nullptr || target->kind == ExpressionKind::namespace_attribute) return;
  if (target->kind == ExpressionKind::name) assign(target->text, target->line);
  for (const auto& operand : target->operands) visit_target(operand.get());
}

void Walk::visit_parameters(const MacroPlan& macro) {
  for (const Parameter& parameter : macro.parameters) names_.erase(parameter.name);
  for (const Parameter& parameter : macro.parameters) visit(parameter.otherwise.get());
}

void Walk::visit(const Statement& statement) {
  visit_target(statement.target.get());
  if (statement.kind == StatementKind::filter_block) {
    visit(statement.body);
    visit(statement.expression.get());
    return;
  }
  visit(statement.expression.get());
  for (const auto& [test, body] : statement.branches) {
    visit(test.get());
    visit(body);
  }
  for (const auto& [target, value] : statement.bindings) names_.erase(target->text);
  for (const auto& [target, value] : statement.bindings) visit(value.get());
  visit_parameters(statement.macro);
  visit(statement.body);
  visit(statement.otherwise);
  visit(statement.test.get());
}

}  // namespace

std::set<std::string_view> find_mentioned(const Block& block, std::set<std::string_view> names) {
  Walk walk(std::move(names));
  walk.visit(block);
  return walk.found();
}

int find_assignment(const Statement& statement, std::string_view name) {
  Walk walk({name});
  walk.visit(statement);
  return walk.assigned_line();
}

}  // namespace refserver::jinja
