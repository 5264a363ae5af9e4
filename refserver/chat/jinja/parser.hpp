// Text of a template to its tree.
#pragma once

#include <string_view>

#include "refserver/chat/jinja/ast.hpp"
#include "refserver/chat/jinja/budget.hpp"

namespace refserver::jinja {

/// Throws Failure with a text that names the construct, and the line. Names are not resolved yet (resolver.hpp).
Template parse(std::string_view source, const Limits& limits);

}  // namespace refserver::jinja
