// Which special names a body uses: `loop` in a loop; `caller`, `varargs` and `kwargs` in a macro.
#pragma once

#include <set>
#include <string_view>

#include "refserver/chat/jinja/ast.hpp"

namespace refserver::jinja {

/// Those of `names` that are read somewhere in the statements before they are assigned to, in the order of the text.
std::set<std::string_view> find_mentioned(const Block& block, std::set<std::string_view> names);
/// The line of an assignment to `name` anywhere in a statement, or 0.
int find_assignment(const Statement& statement, std::string_view name);

}  // namespace refserver::jinja
