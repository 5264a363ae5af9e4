// Calling macros: arguments to parameters, and the text of the body.
#include "refserver/chat/jinja/macro.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/print.hpp"
#include "refserver/chat/jinja/redirect.hpp"

namespace refserver::jinja {
namespace {

/// Takes a keyword argument out of the list, or gives a missing value.
Value take_keyword(Arguments& arguments, std::string_view name) {
  auto& keywords = arguments.keywords;
  const auto at = std::find_if(keywords.begin(), keywords.end(), [&](const auto& k) { return k.first == name; });
  if (at == keywords.end()) return {};
  Value value = std::move(at->second);
  keywords.erase(at);
  return value;
}

}  // namespace

std::string Macro::show() const {
  const std::string& name = statement_.macro.name;
  return name.empty() ? "<Macro anonymous>" : fmt::format("<Macro {}>", quoted(name));
}

Value Macro::call(Interpreter& interpreter, Arguments arguments) {
  return make_text(interpreter.budget(), interpreter.call_macro(statement_, defined_in_, std::move(arguments)));
}

void Interpreter::bind_parameters(const Statement& macro, Frame& frame, Arguments& arguments) {
  const auto& parameters = macro.macro.parameters;
  const auto give = [&](int index, Value value) { frame.slots[static_cast<std::size_t>(index)] = std::move(value); };
  const std::size_t given = std::min(parameters.size(), arguments.positional.size());
  bool has_caller = given == parameters.size() && std::any_of(parameters.begin(), parameters.end(),
                                                              [](const Parameter& p) { return p.name == "caller"; });
  for (std::size_t i = 0; i < given; ++i) give(parameters[i].slot.index, std::move(arguments.positional[i]));
  for (std::size_t i = given; i < parameters.size(); ++i) {
    give(parameters[i].slot.index, take_keyword(arguments, parameters[i].name));
    has_caller = has_caller || parameters[i].name == "caller";
  }
  if (macro.macro.caller >= 0 && !has_caller) {
    Value caller = take_keyword(arguments, "caller");
    give(macro.macro.caller, caller.is(Kind::missing) ? undefined_hint("No caller defined") : std::move(caller));
  }
  if (macro.macro.kwargs >= 0) {
    std::vector<std::pair<Value, Value>> rest;
    for (auto& [name, value] : arguments.keywords) rest.emplace_back(make_text(budget_, name), std::move(value));
    give(macro.macro.kwargs, make_dict(budget_, std::move(rest)));
  } else if (!arguments.keywords.empty()) {
    fail(fmt::format("macro {} takes no keyword argument {}", quoted(macro.macro.name),
                     quoted(arguments.keywords[0].first)));
  }
  std::vector<Value> rest;
  if (arguments.positional.size() > given) {
    if (macro.macro.varargs < 0) {
      fail(fmt::format("macro {} takes not more than {} argument(s)", quoted(macro.macro.name), parameters.size()));
    }
    rest.assign(arguments.positional.begin() + static_cast<std::ptrdiff_t>(given), arguments.positional.end());
  }
  if (macro.macro.varargs >= 0) give(macro.macro.varargs, make_tuple(budget_, std::move(rest)));
}

std::string Interpreter::call_macro(const Statement& macro, Frame& defined_in, Arguments arguments) {
  const Budget::Level level(budget_);
  std::optional<Frame> local;
  Frame& frame = new_frame(macro.scope, &defined_in, local);
  enter(frame);
  bind_parameters(macro, frame, arguments);
  for (const Parameter& parameter : macro.macro.parameters) {
    Value& value = frame.slots[static_cast<std::size_t>(parameter.slot.index)];
    if (!value.is(Kind::missing)) continue;
    value = parameter.otherwise ? evaluate(*parameter.otherwise, frame)
                                : undefined_hint(fmt::format("parameter {} was not provided", quoted(parameter.name)));
  }
  std::string text;
  const Redirect redirect(out_, text);
  execute(macro.body, frame);
  return text;
}

}  // namespace refserver::jinja
