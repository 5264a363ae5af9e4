// Scopes as Jinja compiles them: a first look over the statements of a scope says which names live in it, a second one
// resolves every use and goes into the scopes inside. `if` makes no scope; loops, macros, blocks and `with` do.
#include "refserver/chat/jinja/resolver.hpp"

#include <fmt/format.h>

#include <map>
#include <optional>

#include "refserver/chat/jinja/builtins.hpp"
#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/mentions.hpp"

namespace refserver::jinja {
namespace {

/// Where an unknown filter is an error: everywhere, or only when it is reached.
enum class Unknown : std::uint8_t { refused, allowed };

class Scope {
 public:
  Scope(ScopePlan& plan, Scope* parent, const Limits& limits) : plan_(plan), parent_(parent), limits_(limits) {}

  std::optional<Slot> find(const std::string& name) const {
    int hops = 0;
    for (const Scope* scope = this; scope != nullptr; scope = scope->parent_, ++hops) {
      if (const auto at = scope->slots_.find(name); at != scope->slots_.end()) return Slot{hops, at->second};
    }
    return std::nullopt;
  }
  /// A name that is read: found further out, or a global seen from this scope.
  void read(const std::string& name) {
    if (!find(name)) define(name, Load::global, {});
  }
  /// A name that is assigned to. Where that is not certain to happen first, it starts with what it is outside.
  void assign(const std::string& name, bool is_in_branch) {
    if (slots_.contains(name)) return;
    if (const auto outer = find(name)) {
      define(name, Load::outer, *outer);
    } else {
      define(name, is_in_branch ? Load::global : Load::nothing, {});
    }
  }
  int declare_parameter(const std::string& name) { return define(name, Load::parameter, {}); }
  /// Everything up to here may be needed by a macro after its statement has ended.
  void mark_captured() {
    for (Scope* scope = this; scope != nullptr; scope = scope->parent_) scope->plan_.is_captured = true;
  }
  const Limits& limits() const { return limits_; }

 private:
  int define(const std::string& name, Load load, Slot outer) {
    if (const auto at = slots_.find(name); at != slots_.end()) {
      plan_.slots[static_cast<std::size_t>(at->second)].load = load;
      return at->second;
    }
    if (static_cast<int>(slots_.size()) >= limits_.max_names) fail("the template has too many names");
    const int index = static_cast<int>(plan_.slots.size());
    plan_.slots.push_back({name, load, outer});
    slots_.emplace(name, index);
    return index;
  }

  ScopePlan& plan_;
  Scope* parent_;
  const Limits& limits_;
  std::map<std::string, int> slots_;
};

/// The first look: which names the statements of a scope read and assign, in order.
class Survey {
 public:
  explicit Survey(Scope& scope) : scope_(scope) {}

  void visit(const Block& block, bool is_in_branch = false) {
    for (const auto& statement : block) visit(*statement, is_in_branch);
  }
  void read(const Expression* expression);
  void assign(const Expression& target, bool is_in_branch);

 private:
  void visit(const Statement& statement, bool is_in_branch);

  Scope& scope_;
};

void Survey::read(const Expression* expression) {
  if (expression == nullptr) return;
  if (expression->kind == ExpressionKind::name) scope_.read(expression->text);
  for (const auto& operand : expression->operands) read(operand.get());
  for (const auto& [name, value] : expression->keywords) read(value.get());
  read(expression->star.get());
  read(expression->double_star.get());
}

void Survey::assign(const Expression& target, bool is_in_branch) {
  if (target.kind == ExpressionKind::name) {
    scope_.assign(target.text, is_in_branch);
  } else if (target.kind == ExpressionKind::namespace_attribute) {
    scope_.read(target.operands[0]->text);
  } else {
    for (const auto& part : target.operands) assign(*part, is_in_branch);
  }
}

void Survey::visit(const Statement& statement, bool is_in_branch) {
  switch (statement.kind) {
    case StatementKind::branch:
      for (const auto& [test, body] : statement.branches) {
        read(test.get());
        visit(body, true);
      }
      visit(statement.otherwise, true);
      break;
    case StatementKind::assign:
      read(statement.expression.get());
      assign(*statement.target, is_in_branch);
      break;
    case StatementKind::assign_block:
      assign(*statement.target, is_in_branch);
      break;
    case StatementKind::macro:
      scope_.assign(statement.macro.name, is_in_branch);
      break;
    case StatementKind::with:
      for (const auto& [target, value] : statement.bindings) read(value.get());
      break;
    default:  // the rest of a statement with a scope of its own is not looked into
      read(statement.expression.get());
      break;
  }
}

/// The second look.
class Resolver {
 public:
  explicit Resolver(const Limits& limits) : limits_(limits) {}

  void resolve(Scope& scope, Block& block, Unknown unknown) {
    for (auto& statement : block) resolve(scope, *statement, unknown);
  }

 private:
  void resolve(Scope& scope, Statement& statement, Unknown unknown);
  void resolve(Scope& scope, Expression* expression, Unknown unknown);
  void resolve_filter(Expression& expression, Unknown unknown) const;
  void resolve_test(Expression& expression, Unknown unknown) const;
  void resolve_loop(Scope& scope, Statement& statement, Unknown unknown);
  void resolve_macro(Scope& scope, Statement& statement);
  void declare_special(Scope& inner, Statement& statement);
  void resolve_inner(Scope& scope, Statement& statement, Expression* also);
  void declare_targets(Scope& inner, const Expression& target);

  const Limits& limits_;
  int loops_ = 0;  ///< around the statement, within the same macro
};

void Resolver::resolve_filter(Expression& expression, Unknown unknown) const {
  expression.filter = find_filter(expression.text);
  if (expression.filter != nullptr) return;
  if (is_unsupported_filter(expression.text)) {
    throw Failure(fmt::format("the filter '{}' is not supported", expression.text), expression.line);
  }
  if (unknown == Unknown::refused)
    throw Failure(fmt::format("No filter named '{}'.", expression.text), expression.line);
}

void Resolver::resolve_test(Expression& expression, Unknown unknown) const {
  expression.test = find_test(expression.text);
  if (expression.test == nullptr && unknown == Unknown::refused) {
    throw Failure(fmt::format("No test named '{}'.", expression.text), expression.line);
  }
}

void Resolver::resolve(Scope& scope, Expression* expression, Unknown unknown) {
  if (expression == nullptr) return;
  if (expression->kind == ExpressionKind::name) {
    const auto slot = scope.find(expression->text);
    if (!slot) throw Failure(fmt::format("the name '{}' cannot be used here", expression->text), expression->line);
    expression->slot = *slot;
  }
  if (expression->kind == ExpressionKind::filter) resolve_filter(*expression, unknown);
  if (expression->kind == ExpressionKind::test) resolve_test(*expression, unknown);
  if (expression->kind == ExpressionKind::conditional) unknown = Unknown::allowed;
  for (const auto& operand : expression->operands) resolve(scope, operand.get(), unknown);
  for (const auto& [name, value] : expression->keywords) resolve(scope, value.get(), unknown);
  resolve(scope, expression->star.get(), unknown);
  resolve(scope, expression->double_star.get(), unknown);
}

void Resolver::declare_targets(Scope& inner, const Expression& target) {
  if (target.kind == ExpressionKind::name) inner.declare_parameter(target.text);
  for (const auto& part : target.operands) declare_targets(inner, *part);
}

/// A statement whose body has a scope and nothing else that is special. `also` is read inside that scope.
void Resolver::resolve_inner(Scope& scope, Statement& statement, Expression* also) {
  Scope inner(statement.scope, &scope, limits_);
  for (const auto& [target, value] : statement.bindings) inner.declare_parameter(target->text);
  Survey survey(inner);
  survey.visit(statement.body);
  survey.read(also);
  for (const auto& [target, value] : statement.bindings) resolve(inner, target.get(), Unknown::refused);
  resolve(inner, statement.body, Unknown::refused);
  resolve(inner, also, Unknown::refused);
}

void Resolver::resolve_loop(Scope& scope, Statement& statement, Unknown unknown) {
  if (const int line = find_assignment(statement, "loop"); line != 0) {
    throw Failure("Can't assign to special loop variable in for-loop target", line);
  }
  resolve(scope, statement.expression.get(), unknown);
  if (statement.test) {
    Scope inner(statement.test_scope, &scope, limits_);
    declare_targets(inner, *statement.test_target);
    Survey(inner).read(statement.test.get());
    resolve(inner, statement.test_target.get(), Unknown::refused);
    resolve(inner, statement.test.get(), Unknown::refused);
  }
  {
    Scope inner(statement.scope, &scope, limits_);
    if (!find_mentioned(statement.body, {"loop"}).empty()) statement.loop_slot = inner.declare_parameter("loop");
    declare_targets(inner, *statement.target);
    Survey(inner).visit(statement.body);
    resolve(inner, statement.target.get(), Unknown::refused);
    ++loops_;
    resolve(inner, statement.body, Unknown::refused);
    --loops_;
  }
  Scope inner(statement.otherwise_scope, &scope, limits_);
  Survey(inner).visit(statement.otherwise);
  resolve(inner, statement.otherwise, Unknown::refused);
}

/// `caller`, `kwargs` and `varargs`, which a body may use without declaring them.
void Resolver::declare_special(Scope& inner, Statement& statement) {
  MacroPlan& macro = statement.macro;
  const auto mentioned = find_mentioned(statement.body, {"caller", "kwargs", "varargs"});
  const auto find_parameter = [&](std::string_view name) -> const Parameter* {
    for (const Parameter& parameter : macro.parameters) {
      if (parameter.name == name) return &parameter;
    }
    return nullptr;
  };
  if (mentioned.contains("caller")) {
    const Parameter* declared = find_parameter("caller");
    if (declared == nullptr) {
      macro.caller = inner.declare_parameter("caller");
    } else if (!declared->otherwise) {
      throw Failure("the parameter 'caller' of a macro needs a default", statement.line);
    }
  }
  if (mentioned.contains("kwargs") && !find_parameter("kwargs")) macro.kwargs = inner.declare_parameter("kwargs");
  if (mentioned.contains("varargs") && !find_parameter("varargs")) macro.varargs = inner.declare_parameter("varargs");
}

void Resolver::resolve_macro(Scope& scope, Statement& statement) {
  scope.mark_captured();
  Scope inner(statement.scope, &scope, limits_);
  MacroPlan& macro = statement.macro;
  for (Parameter& parameter : macro.parameters) parameter.slot.index = inner.declare_parameter(parameter.name);
  Survey survey(inner);
  for (const Parameter& parameter : macro.parameters) survey.read(parameter.otherwise.get());
  declare_special(inner, statement);
  survey.visit(statement.body);
  for (Parameter& parameter : macro.parameters) resolve(inner, parameter.otherwise.get(), Unknown::refused);
  const int loops_outside = std::exchange(loops_, 0);
  resolve(inner, statement.body, Unknown::refused);
  loops_ = loops_outside;
}

void Resolver::resolve(Scope& scope, Statement& statement, Unknown unknown) {
  switch (statement.kind) {
    case StatementKind::text:
      break;
    case StatementKind::branch:
      for (const auto& [test, body] : statement.branches) {
        resolve(scope, test.get(), Unknown::allowed);
        for (const auto& inside : body) resolve(scope, *inside, Unknown::allowed);
      }
      resolve(scope, statement.otherwise, Unknown::allowed);
      break;
    case StatementKind::loop:
      resolve_loop(scope, statement, unknown);
      break;
    case StatementKind::assign_block:
      resolve(scope, statement.target.get(), unknown);
      resolve_inner(scope, statement, statement.expression.get());
      break;
    case StatementKind::filter_block:
      resolve_inner(scope, statement, statement.expression.get());
      break;
    case StatementKind::with:
      for (const auto& [target, value] : statement.bindings) resolve(scope, value.get(), unknown);
      resolve_inner(scope, statement, nullptr);
      break;
    case StatementKind::scope: {
      const int loops_outside = std::exchange(loops_, 0);
      resolve_inner(scope, statement, nullptr);
      loops_ = loops_outside;
      break;
    }
    case StatementKind::macro:
      statement.slot = *scope.find(statement.macro.name);
      resolve_macro(scope, statement);
      break;
    case StatementKind::call_block:
      resolve(scope, statement.expression.get(), unknown);
      resolve_macro(scope, statement);
      break;
    case StatementKind::loop_break:
    case StatementKind::loop_continue:
      if (loops_ == 0) {
        throw Failure(
            fmt::format("'{}' outside of a loop", statement.kind == StatementKind::loop_break ? "break" : "continue"),
            statement.line);
      }
      break;
    case StatementKind::print:
    case StatementKind::assign:
      resolve(scope, statement.expression.get(), unknown);
      resolve(scope, statement.target.get(), unknown);
      break;
  }
}

}  // namespace

void resolve(Template& parsed, const Limits& limits) {
  Scope scope(parsed.scope, nullptr, limits);
  Survey(scope).visit(parsed.body);
  Resolver(limits).resolve(scope, parsed.body, Unknown::refused);
}

}  // namespace refserver::jinja
