// Gives every name of a parsed template its slot, by Jinja's rules of scope.
#pragma once

#include "refserver/chat/jinja/ast.hpp"
#include "refserver/chat/jinja/budget.hpp"

namespace refserver::jinja {

/// Fills in slots, scopes, filters and tests. Throws Failure on an unknown filter or test, on `break` outside of a loop
/// and on an assignment to `loop`.
void resolve(Template& parsed, const Limits& limits);

}  // namespace refserver::jinja
