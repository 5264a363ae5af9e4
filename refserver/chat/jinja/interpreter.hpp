// One rendering of one template: walks the tree, within a budget. Not for sharing between threads; the tree is.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "refserver/chat/jinja/ast.hpp"
#include "refserver/chat/jinja/budget.hpp"
#include "refserver/chat/jinja/objects.hpp"

namespace refserver::jinja {

using Variables = std::vector<std::pair<std::string, Value>>;

/// The slots of a scope that was entered.
struct Frame {
  const ScopePlan* plan = nullptr;
  Frame* parent = nullptr;
  std::vector<Value> slots;
};

class Interpreter {
 public:
  /// `now` is what strftime_now tells. The budget must outlive the interpreter, the interpreter all values it made.
  Interpreter(Budget& budget, Variables variables, std::chrono::system_clock::time_point now);
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  /// The text the template makes. Throws Failure with the line.
  std::string run(const Template& parsed);

  // For filters, tests and methods.
  Budget& budget() { return budget_; }
  std::chrono::system_clock::time_point now() const { return now_; }
  Value call(const Value& callee, Arguments arguments);
  Value apply_filter(const Value& name, const Value& subject, Arguments arguments);
  bool apply_test(const Value& name, const Value& subject, Arguments arguments);
  /// owner.name: an attribute, else an item.
  Value get_attribute(const Value& owner, std::string_view name);
  /// owner[index]: an item, else an attribute.
  Value get_item(const Value& owner, const Value& index);
  /// A namespace that lives as long as the rendering, so that a chain of them is not freed one inside the other.
  std::shared_ptr<Namespace> make_namespace();

  // For macros and loops.
  std::string call_macro(const Statement& macro, Frame& defined_in, Arguments arguments);
  bool passes_test(const Statement& loop, Frame& frame, const Value& item);
  void enter(Frame& frame);

 private:
  enum class Flow : std::uint8_t { onward, leave_loop, next_round };

  Flow execute(const Block& block, Frame& frame);
  Flow execute(const Statement& statement, Frame& frame);
  Flow execute_branch(const Statement& statement, Frame& frame);
  Flow execute_loop(const Statement& statement, Frame& frame);
  Flow execute_rounds(const Statement& statement, Frame& frame, bool& has_run);
  Flow execute_assign_block(const Statement& statement, Frame& frame);
  Flow execute_filter_block(const Statement& statement, Frame& frame);
  Flow execute_with(const Statement& statement, Frame& frame);
  Flow execute_inner(const Statement& statement, Frame& frame);
  void execute_macro(const Statement& statement, Frame& frame);
  void execute_call_block(const Statement& statement, Frame& frame);

  void check_target(const Expression& target, Frame& frame);
  void assign(const Expression& target, Frame& frame, Value value);
  void assign_parts(const Expression& target, Frame& frame, const Value& value);
  void emit(std::string_view text);
  void check_output();

  Value evaluate(const Expression& expression, Frame& frame);
  Value evaluate_name(const Expression& expression, Frame& frame);
  Value evaluate_collection(const Expression& expression, Frame& frame);
  Value evaluate_compare(const Expression& expression, Frame& frame);
  Value evaluate_concat(const Expression& expression, Frame& frame);
  Value evaluate_conditional(const Expression& expression, Frame& frame);
  Value evaluate_slice(const Expression& expression, Frame& frame);
  Value evaluate_call(const Expression& expression, Frame& frame, const Value* caller);
  Value evaluate_filter(const Expression& expression, Frame& frame, const Value* subject);
  Value evaluate_test(const Expression& expression, Frame& frame);
  Arguments evaluate_arguments(const Expression& expression, Frame& frame);

  Value find_loop_attribute(const Value& loop, std::string_view name);
  Value first_value(const SlotPlan& plan, Frame& frame);
  Frame& new_frame(const ScopePlan& plan, Frame* parent, std::optional<Frame>& local);
  static Value& slot(Frame& frame, Slot slot);
  void bind_parameters(const Statement& macro, Frame& frame, Arguments& arguments);

  Budget& budget_;
  Variables variables_;
  std::chrono::system_clock::time_point now_;
  std::string* out_ = nullptr;                       ///< where text goes: the prompt, or the text of a block
  int line_ = 0;                                     ///< of what is being evaluated
  std::vector<std::unique_ptr<Frame>> kept_frames_;  ///< those that macros may come back to
  std::vector<std::shared_ptr<Namespace>> namespaces_;
};

}  // namespace refserver::jinja
