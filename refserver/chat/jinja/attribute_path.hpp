// "function.name" or 0 as the parameter `attribute` of many filters.
#pragma once

#include <vector>

#include "refserver/chat/jinja/objects.hpp"

namespace refserver::jinja {

class Interpreter;

/// A way from a value to a value inside it.
class AttributePath {
 public:
  /// From what the template gave: a text with dots, an integer, or none for the value itself.
  explicit AttributePath(const Value& attribute);
  /// Follows the path. A missing step is undefined, or `otherwise` where that is given.
  Value follow(Interpreter& interpreter, Value value, const Value& otherwise = {}) const;

 private:
  std::vector<Value> steps_;
};

/// What a value is sorted and compared by: in lower case if it is text and case does not matter.
Value sort_key(Budget& budget, Value value, bool is_case_sensitive);

}  // namespace refserver::jinja
