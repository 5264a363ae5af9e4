// Statements in motion.
#include <fmt/format.h>

#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/interpreter.hpp"
#include "refserver/chat/jinja/loop.hpp"
#include "refserver/chat/jinja/macro.hpp"
#include "refserver/chat/jinja/operators.hpp"
#include "refserver/chat/jinja/print.hpp"
#include "refserver/chat/jinja/redirect.hpp"

namespace refserver::jinja {
namespace {

/// The items of an iterable that pass a loop's `if`, tested as they come.
class FilteredIterator : public Iterator {
 public:
  FilteredIterator(Interpreter& interpreter, const Statement& loop, Frame& frame, std::shared_ptr<Iterator> items)
      : interpreter_(interpreter), loop_(loop), frame_(frame), items_(std::move(items)) {}
  Value next() override {
    if (is_over_) fail("`loop` of a filtered loop is used after its end");
    for (Value item = items_->next(); !item.is(Kind::missing); item = items_->next()) {
      if (interpreter_.passes_test(loop_, frame_, item)) return item;
    }
    return {};
  }
  /// The scopes that the test reads are about to go.
  void finish() { is_over_ = true; }

 private:
  Interpreter& interpreter_;
  const Statement& loop_;
  Frame& frame_;
  std::shared_ptr<Iterator> items_;
  bool is_over_ = false;
};

/// Finishes a filtered iterator however its loop ends.
class Finisher {
 public:
  explicit Finisher(std::shared_ptr<FilteredIterator> items) : items_(std::move(items)) {}
  ~Finisher() {
    if (items_) items_->finish();
  }
  Finisher(const Finisher&) = delete;
  Finisher& operator=(const Finisher&) = delete;

 private:
  std::shared_ptr<FilteredIterator> items_;
};

}  // namespace

Interpreter::Flow Interpreter::execute(const Block& block, Frame& frame) {
  for (const auto& statement : block) {
    if (const Flow flow = execute(*statement, frame); flow != Flow::onward) return flow;
  }
  return Flow::onward;
}

Interpreter::Flow Interpreter::execute(const Statement& statement, Frame& frame) {
  budget_.step();
  line_ = statement.line;
  switch (statement.kind) {
    case StatementKind::text:
      emit(statement.text);
      break;
    case StatementKind::print:
      append_text(budget_, *out_, evaluate(*statement.expression, frame));
      check_output();
      break;
    case StatementKind::branch:
      return execute_branch(statement, frame);
    case StatementKind::loop:
      return execute_loop(statement, frame);
    case StatementKind::assign:
      check_target(*statement.target, frame);
      assign(*statement.target, frame, evaluate(*statement.expression, frame));
      break;
    case StatementKind::assign_block:
      return execute_assign_block(statement, frame);
    case StatementKind::filter_block:
      return execute_filter_block(statement, frame);
    case StatementKind::with:
      return execute_with(statement, frame);
    case StatementKind::scope:
      return execute_inner(statement, frame);
    case StatementKind::macro:
      execute_macro(statement, frame);
      break;
    case StatementKind::call_block:
      execute_call_block(statement, frame);
      break;
    case StatementKind::loop_break:
      return Flow::leave_loop;
    case StatementKind::loop_continue:
      return Flow::next_round;
  }
  return Flow::onward;
}

Interpreter::Flow Interpreter::execute_branch(const Statement& statement, Frame& frame) {
  const Budget::Level level(budget_);
  for (const auto& [test, body] : statement.branches) {
    if (is_true(evaluate(*test, frame))) return execute(body, frame);
  }
  return execute(statement.otherwise, frame);
}

Interpreter::Flow Interpreter::execute_loop(const Statement& statement, Frame& frame) {
  const Budget::Level level(budget_);
  bool has_run = false;  // to its end: a loop that only ever went to `continue` or `break` takes its else, as in Jinja
  execute_rounds(statement, frame, has_run);
  if (has_run || statement.otherwise.empty()) return Flow::onward;
  std::optional<Frame> local;
  Frame& inner = new_frame(statement.otherwise_scope, &frame, local);
  enter(inner);
  return execute(statement.otherwise, inner);
}

Interpreter::Flow Interpreter::execute_rounds(const Statement& statement, Frame& frame, bool& has_run) {
  Value items = evaluate(*statement.expression, frame);
  std::optional<Frame> local_test;
  std::shared_ptr<FilteredIterator> filtered;
  if (statement.test) {
    Frame& test_frame = new_frame(statement.test_scope, &frame, local_test);
    enter(test_frame);
    filtered = std::make_shared<FilteredIterator>(*this, statement, test_frame, iterate(budget_, items));
    filtered->depth = depth_around(budget_, items);
    items = Value(std::shared_ptr<Object>(filtered));
  }
  const Finisher finisher(filtered);
  std::optional<Frame> local;
  Frame& inner = new_frame(statement.scope, &frame, local);
  const auto loop = std::make_shared<Loop>(budget_, std::move(items));
  for (Value item = loop->next(); !item.is(Kind::missing); item = loop->next()) {
    enter(inner);
    if (statement.loop_slot >= 0)
      inner.slots[static_cast<std::size_t>(statement.loop_slot)] = Value(std::shared_ptr<Object>(loop));
    assign(*statement.target, inner, std::move(item));
    const Flow flow = execute(statement.body, inner);
    if (flow == Flow::leave_loop) break;
    if (flow == Flow::onward) has_run = true;
    line_ = statement.line;
  }
  inner.slots.assign(inner.slots.size(), Value());  // a macro made in the loop sees nothing of it afterwards
  return Flow::onward;
}

bool Interpreter::passes_test(const Statement& loop, Frame& frame, const Value& item) {
  assign(*loop.test_target, frame, item);
  return is_true(evaluate(*loop.test, frame));
}

Interpreter::Flow Interpreter::execute_assign_block(const Statement& statement, Frame& frame) {
  const Budget::Level level(budget_);
  std::string text;
  std::optional<Frame> local;
  Frame& inner = new_frame(statement.scope, &frame, local);
  enter(inner);
  {
    const Redirect redirect(out_, text);
    if (const Flow flow = execute(statement.body, inner); flow != Flow::onward) return flow;
  }
  Value value = make_text(budget_, std::move(text));
  if (statement.expression) value = evaluate_filter(*statement.expression, inner, &value);
  check_target(*statement.target, frame);
  assign(*statement.target, frame, std::move(value));
  return Flow::onward;
}

Interpreter::Flow Interpreter::execute_filter_block(const Statement& statement, Frame& frame) {
  const Budget::Level level(budget_);
  std::string text;
  std::optional<Frame> local;
  Frame& inner = new_frame(statement.scope, &frame, local);
  enter(inner);
  {
    const Redirect redirect(out_, text);
    if (const Flow flow = execute(statement.body, inner); flow != Flow::onward) return flow;
  }
  const Value value = make_text(budget_, std::move(text));
  append_text(budget_, *out_, evaluate_filter(*statement.expression, inner, &value));
  check_output();
  return Flow::onward;
}

Interpreter::Flow Interpreter::execute_with(const Statement& statement, Frame& frame) {
  const Budget::Level level(budget_);
  std::optional<Frame> local;
  Frame& inner = new_frame(statement.scope, &frame, local);
  enter(inner);
  for (const auto& [target, value] : statement.bindings) assign(*target, inner, evaluate(*value, frame));
  return execute(statement.body, inner);
}

Interpreter::Flow Interpreter::execute_inner(const Statement& statement, Frame& frame) {
  const Budget::Level level(budget_);
  std::optional<Frame> local;
  Frame& inner = new_frame(statement.scope, &frame, local);
  enter(inner);
  return execute(statement.body, inner);
}

void Interpreter::execute_macro(const Statement& statement, Frame& frame) {
  slot(frame, statement.slot) = Value(std::shared_ptr<Object>(std::make_shared<Macro>(statement, frame)));
}

void Interpreter::execute_call_block(const Statement& statement, Frame& frame) {
  const Budget::Level level(budget_);
  const Value caller(std::shared_ptr<Object>(std::make_shared<Macro>(statement, frame)));
  append_text(budget_, *out_, evaluate_call(*statement.expression, frame, &caller));
  check_output();
}

}  // namespace refserver::jinja
