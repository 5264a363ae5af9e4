// A macro, and the body of a call block, as something that can be called.
#pragma once

#include <string>

#include "refserver/chat/jinja/ast.hpp"
#include "refserver/chat/jinja/interpreter.hpp"

namespace refserver::jinja {

class Macro : public Function {
 public:
  /// `defined_in` is a frame that the interpreter keeps.
  Macro(const Statement& statement, Frame& defined_in) : statement_(statement), defined_in_(defined_in) {}
  std::string_view type_name() const override { return "Macro"; }
  std::string show() const override;
  Value call(Interpreter& interpreter, Arguments arguments) override;

 private:
  const Statement& statement_;
  Frame& defined_in_;
};

}  // namespace refserver::jinja
