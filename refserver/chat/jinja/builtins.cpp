// Finding filters, methods and globals by name.
#include "refserver/chat/jinja/builtins.hpp"

#include <algorithm>
#include <unordered_map>

namespace refserver::jinja {
namespace {

const std::unordered_map<std::string_view, Builtin>& all_filters() {
  static const auto filters = [] {
    std::unordered_map<std::string_view, Builtin> all;
    for (const auto& table : {text_filters(), list_filters(), lazy_filters(), number_filters()}) {
      for (const BuiltinRow& row : table) all.emplace(row.name, row.call);
    }
    return all;
  }();
  return filters;
}

Method find_in(std::span<const BuiltinRow> table, std::string_view name) {
  const auto row = std::find_if(table.begin(), table.end(), [&](const BuiltinRow& r) { return r.name == name; });
  if (row == table.end()) return {};
  return {row->call != nullptr ? MethodState::found : MethodState::unsupported, row->call};
}

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Method unsupported_if(bool is_known) {
  return {is_known ? MethodState::unsupported : MethodState::none, nullptr};
}

Method find_list_method(const Value& owner, std::string_view name) {
  if (!owner.sequence().is_tuple) {
    if (is_one_of(name, {"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"})) {
      return {MethodState::unsafe, nullptr};
    }
  } else if (name == "copy") {
    return {};  // tuples have none
  }
  return find_in(list_methods(), name);
}

Method find_object_method(const Value& owner, std::string_view name) {
  switch (owner.object().object_kind()) {
    case ObjectKind::range:
      return unsupported_if(is_one_of(name, {"start", "stop", "step", "count", "index"}));
    case ObjectKind::view:
      return unsupported_if(is_one_of(name, {"mapping", "isdisjoint"}));
    case ObjectKind::function:
      return unsupported_if(is_one_of(name, {"name", "arguments", "catch_kwargs", "catch_varargs", "caller"}));
    default:
      return {};
  }
}

}  // namespace

Builtin find_filter(std::string_view name) {
  const auto at = all_filters().find(name);
  return at == all_filters().end() ? nullptr : at->second;
}

bool is_unsupported_filter(std::string_view name) {
  return is_one_of(name, {"filesizeformat", "format", "groupby", "pprint", "random", "striptags", "truncate",
                          "urlencode", "urlize", "wordcount", "wordwrap", "xmlattr"});
}

Method find_method(const Value& owner, std::string_view name) {
  switch (owner.kind()) {
    case Kind::text: {
      const Method method = find_in(text_methods(), name);
      return method.state != MethodState::none ? method : find_in(text_search_methods(), name);
    }
    case Kind::sequence:
      return find_list_method(owner, name);
    case Kind::dict:
      if (is_one_of(name, {"clear", "pop", "popitem", "setdefault", "update"})) return {MethodState::unsafe, nullptr};
      return find_in(dict_methods(), name);
    case Kind::boolean:
    case Kind::integer:
      return unsupported_if(is_one_of(name, {"real", "imag", "numerator", "denominator", "conjugate", "bit_length",
                                             "bit_count", "to_bytes", "from_bytes", "as_integer_ratio"}));
    case Kind::real:
      return unsupported_if(
          is_one_of(name, {"real", "imag", "conjugate", "is_integer", "hex", "fromhex", "as_integer_ratio"}));
    case Kind::object:
      return find_object_method(owner, name);
    default:
      return {};
  }
}

}  // namespace refserver::jinja
