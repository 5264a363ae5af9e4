// JSON to values.
#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/text.hpp"
#include "refserver/chat/jinja/value.hpp"

namespace refserver::jinja {
namespace {

Value text_from(Budget& budget, const std::string& text) {
  if (!is_utf8(text)) fail("a text in the messages is not UTF-8");
  return make_text(budget, text);
}

Value integer_from(const nlohmann::ordered_json& json) {
  if (json.is_number_unsigned() && json.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max()) {
    fail("integers beyond 64 bits are not supported");
  }
  return Value(json.get<std::int64_t>());
}

Value convert(Budget& budget, const nlohmann::ordered_json& json, int depth) {
  if (depth > budget.limits().max_value_depth) fail("the messages are nested too deeply");
  budget.step();
  if (json.is_null()) return Value::none();
  if (json.is_boolean()) return Value(json.get<bool>());
  if (json.is_number_integer()) return integer_from(json);
  if (json.is_number_float()) return Value(json.get<double>());
  if (json.is_string()) return text_from(budget, json.get_ref<const std::string&>());
  if (json.is_array()) {
    std::vector<Value> items;
    items.reserve(json.size());
    for (const auto& item : json) items.push_back(convert(budget, item, depth + 1));
    return make_list(budget, std::move(items));
  }
  if (!json.is_object()) fail("the messages hold something that is not JSON");
  std::vector<std::pair<Value, Value>> entries;
  entries.reserve(json.size());
  for (const auto& [key, value] : json.items()) {
    entries.emplace_back(text_from(budget, key), convert(budget, value, depth + 1));
  }
  return make_dict(budget, std::move(entries));
}

}  // namespace

Value from_json(Budget& budget, const nlohmann::ordered_json& json) {
  return convert(budget, json, 0);
}

}  // namespace refserver::jinja
