// The tree of a parsed template. Names stand for slots of scopes (resolver.hpp); nothing here knows values in motion.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "refserver/chat/jinja/objects.hpp"
#include "refserver/chat/jinja/operators.hpp"
#include "refserver/chat/jinja/value.hpp"

namespace refserver::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

/// Where a name lives: in the scope `hops` levels out from the one the name is used in.
struct Slot {
  int hops = 0;
  int index = 0;
};

/// How a slot gets its first value when its scope is entered.
enum class Load : std::uint8_t {
  nothing,    ///< set before it is read
  parameter,  ///< whoever enters the scope gives it
  global,     ///< a variable of the rendering, or a function
  outer,      ///< a copy of a slot further out
};

struct SlotPlan {
  std::string name;
  Load load = Load::nothing;
  Slot outer;
};

/// One scope: what a loop body, a macro or the whole template needs on entering.
struct ScopePlan {
  std::vector<SlotPlan> slots;
  bool is_captured = false;  ///< a macro inside may outlive the statement
};

enum class ExpressionKind : std::uint8_t {
  constant,
  name,
  tuple,
  list,
  dict,  ///< operands: key, value, key, value ...
  negate,
  affirm,
  logical_not,
  logical_and,
  logical_or,
  arithmetic,
  compare,  ///< operands one more than operators
  concat,
  conditional,          ///< operands: then, condition, else (may be null)
  attribute,            ///< .text of the operand
  item,                 ///< operands: container, index
  slice,                ///< operands: container, start, stop, step (the last three may be null)
  call,                 ///< operands: callee, then the positional arguments
  filter,               ///< text names it; operands: value, then the positional arguments
  test,                 ///< like filter
  namespace_attribute,  ///< only as a target: name (slot) and text
};

struct Expression {
  ExpressionKind kind = ExpressionKind::constant;
  int line = 0;
  int depth = 1;                    ///< of the tree below
  Value value;                      ///< constant
  std::string text;                 ///< name, attribute, filter, test
  Slot slot;                        ///< name
  Builtin filter = nullptr;         ///< filter, where it is known
  Test test = nullptr;              ///< test, where it is known
  Operator op = Operator::add;      ///< arithmetic
  std::vector<Operator> operators;  ///< compare
  std::vector<ExpressionPtr> operands;
  std::vector<std::pair<std::string, ExpressionPtr>> keywords;
  ExpressionPtr star;         ///< f(*star)
  ExpressionPtr double_star;  ///< f(**double_star)
};

struct Statement;
using Block = std::vector<std::unique_ptr<Statement>>;

enum class StatementKind : std::uint8_t {
  text,
  print,
  branch,        ///< if: branches, then otherwise
  loop,          ///< for
  assign,        ///< set a = ...
  assign_block,  ///< set a ... endset
  macro,
  call_block,
  filter_block,
  with,
  scope,  ///< generation ... endgeneration
  loop_break,
  loop_continue,
};

struct Parameter {
  std::string name;
  Slot slot;
  ExpressionPtr otherwise;  ///< the default, or null
};

/// What a macro and the body of a call block have in common.
struct MacroPlan {
  std::string name;
  std::vector<Parameter> parameters;
  int caller = -1;  ///< slots of the names a body may use without declaring them, or -1
  int varargs = -1;
  int kwargs = -1;
};

struct Statement {
  StatementKind kind = StatementKind::text;
  int line = 0;
  std::string text;           ///< text
  ExpressionPtr target;       ///< loop, assign, assign_block: a name, a tuple of names or a namespace attribute
  ExpressionPtr test_target;  ///< loop: the same for the scope of its test
  ExpressionPtr expression;   ///< print, loop: the iterable; assign; call_block: the call; filters: around a null value
  ExpressionPtr test;         ///< loop: for ... if test
  std::vector<std::pair<ExpressionPtr, Block>> branches;
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> bindings;  ///< with: target, value
  Block body;
  Block otherwise;  ///< else of a branch or a loop
  Slot slot;        ///< macro: its name
  MacroPlan macro;
  ScopePlan scope;            ///< of the body
  ScopePlan test_scope;       ///< loop
  ScopePlan otherwise_scope;  ///< loop
  int loop_slot = -1;         ///< loop: slot of `loop`, or -1 where the body does not name it
};

struct Template {
  Block body;
  ScopePlan scope;
};

}  // namespace refserver::jinja
