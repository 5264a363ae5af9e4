// Everything a template can name without defining it: filters, tests, methods and global functions.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "refserver/chat/jinja/objects.hpp"

namespace refserver::jinja {

/// Null for one there is not.
Builtin find_filter(std::string_view name);
Test find_test(std::string_view name);
/// Filters that Jinja has and this does not: a template that names one is refused.
bool is_unsupported_filter(std::string_view name);

/// Whether Python has the attribute on that type, and what it comes to here.
enum class MethodState : std::uint8_t { none, found, unsupported, unsafe };
struct Method {
  MethodState state = MethodState::none;
  Builtin call = nullptr;
};
Method find_method(const Value& owner, std::string_view name);

/// A global function such as `range`, or a missing value.
Value find_global(std::string_view name);

// One table per file of filters and of methods.
struct BuiltinRow {
  std::string_view name;
  Builtin call;  ///< null: there is such a thing, unsupported here
};
std::span<const BuiltinRow> text_filters();
std::span<const BuiltinRow> list_filters();
std::span<const BuiltinRow> lazy_filters();
std::span<const BuiltinRow> number_filters();
std::span<const BuiltinRow> text_methods();
std::span<const BuiltinRow> text_search_methods();
std::span<const BuiltinRow> list_methods();
std::span<const BuiltinRow> dict_methods();

}  // namespace refserver::jinja
