// Scopes, assignments and output of a rendering.
#include "refserver/chat/jinja/interpreter.hpp"

#include <fmt/format.h>

#include "refserver/chat/jinja/builtins.hpp"
#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/operators.hpp"

namespace refserver::jinja {

Interpreter::Interpreter(Budget& budget, Variables variables, std::chrono::system_clock::time_point now)
    : budget_(budget), variables_(std::move(variables)), now_(now) {}

Interpreter::~Interpreter() {
  // Namespaces and macros may refer to themselves; taken apart here, nothing keeps itself alive.
  for (const auto& space : namespaces_) space->attributes.clear();
  for (const auto& frame : kept_frames_) frame->slots.clear();
}

std::string Interpreter::run(const Template& parsed) {
  std::string prompt;
  out_ = &prompt;
  try {
    std::optional<Frame> local;
    Frame& frame = new_frame(parsed.scope, nullptr, local);
    enter(frame);
    execute(parsed.body, frame);
  } catch (const Failure& failure) {
    throw Failure(failure.text(), failure.line() != 0 ? failure.line() : line_);
  }
  return prompt;
}

std::shared_ptr<Namespace> Interpreter::make_namespace() {
  budget_.grow(sizeof(Namespace));
  namespaces_.push_back(std::make_shared<Namespace>());
  return namespaces_.back();
}

Frame& Interpreter::new_frame(const ScopePlan& plan, Frame* parent, std::optional<Frame>& local) {
  budget_.grow(sizeof(Value), plan.slots.size());
  if (!plan.is_captured) return local.emplace(Frame{&plan, parent, {}});
  kept_frames_.push_back(std::make_unique<Frame>(Frame{&plan, parent, {}}));
  return *kept_frames_.back();
}

Value& Interpreter::slot(Frame& frame, Slot slot) {
  Frame* at = &frame;
  for (int i = 0; i < slot.hops; ++i) at = at->parent;
  return at->slots[static_cast<std::size_t>(slot.index)];
}

Value Interpreter::first_value(const SlotPlan& plan, Frame& frame) {
  if (plan.load == Load::outer) return slot(frame, plan.outer);
  if (plan.load != Load::global) return {};
  for (const auto& [name, value] : variables_) {
    if (name == plan.name) return value;
  }
  return find_global(plan.name);
}

void Interpreter::enter(Frame& frame) {
  const auto& plans = frame.plan->slots;
  budget_.step(1 + plans.size());
  frame.slots.resize(plans.size());
  for (std::size_t i = 0; i < plans.size(); ++i) frame.slots[i] = first_value(plans[i], frame);
}

void Interpreter::emit(std::string_view text) {
  budget_.scan(text.size());
  *out_ += text;
  check_output();
}

void Interpreter::check_output() {
  if (out_->size() > budget_.limits().max_output_bytes) fail("the template makes too long a prompt");
}

/// Attributes can be assigned on namespaces only, which Jinja looks at before the value.
void Interpreter::check_target(const Expression& target, Frame& frame) {
  if (target.kind == ExpressionKind::namespace_attribute) {
    if (!slot(frame, target.operands[0]->slot).is_object(ObjectKind::name_space)) {
      fail("cannot assign attribute on non-namespace object");
    }
  } else {
    for (const auto& part : target.operands) check_target(*part, frame);
  }
}

void Interpreter::assign(const Expression& target, Frame& frame, Value value) {
  switch (target.kind) {
    case ExpressionKind::name:
      slot(frame, target.slot) = std::move(value);
      break;
    case ExpressionKind::namespace_attribute:
      if (target.text.starts_with('_')) {
        fail(fmt::format("a namespace cannot have the attribute '{}': it starts with an underscore", target.text));
      }
      budget_.grow(sizeof(Value) + target.text.size());
      slot(frame, target.operands[0]->slot).as<Namespace>().set(target.text, std::move(value));
      break;
    default:
      assign_parts(target, frame, value);
      break;
  }
}

void Interpreter::assign_parts(const Expression& target, Frame& frame, const Value& value) {
  if (!is_iterable(value)) fail(fmt::format("cannot unpack non-iterable {} object", type_name(value)));
  const auto iterator = iterate(budget_, value);
  std::vector<Value> items;
  for (std::size_t i = 0; i < target.operands.size(); ++i) {
    Value item = iterator->next();
    if (item.is(Kind::missing)) {
      fail(fmt::format("not enough values to unpack (expected {}, got {})", target.operands.size(), i));
    }
    items.push_back(std::move(item));
  }
  if (!iterator->next().is(Kind::missing)) {
    fail(fmt::format("too many values to unpack (expected {})", target.operands.size()));
  }
  for (std::size_t i = 0; i < items.size(); ++i) assign(*target.operands[i], frame, std::move(items[i]));
}

}  // namespace refserver::jinja
