// One question about a value each.
#include "loadgen/export/checked_json.hpp"

namespace loadgen::checked_json {

const Json& member(const Json& object, std::string_view name) {
  if (!object.is_object()) throw Wrong(fmt::format("what holds '{}' is no object", name));
  const auto found = object.find(std::string(name));
  if (found == object.end()) throw Wrong(fmt::format("'{}' is missing", name));
  return *found;
}

std::uint64_t count_in(const Json& object, std::string_view name) {
  const Json& value = member(object, name);
  if (!value.is_number_unsigned()) throw Wrong(fmt::format("'{}' must be a count", name));
  return value.get<std::uint64_t>();
}
std::uint32_t small_count_in(const Json& object, std::string_view name) {
  const std::uint64_t value = count_in(object, name);
  if (value > UINT32_MAX) throw Wrong(fmt::format("'{}' is too large", name));
  return static_cast<std::uint32_t>(value);
}
std::int64_t stamp_from(const Json& value, std::string_view name) {
  constexpr std::int64_t limit = INT64_MAX / 2;
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() || value.get<std::uint64_t>() <= static_cast<std::uint64_t>(limit));
  if (!fits || value.get<std::int64_t>() < -limit) throw Wrong(fmt::format("'{}' must be a time in whole units", name));
  return value.get<std::int64_t>();
}
std::int64_t stamp_in(const Json& object, std::string_view name) {
  return stamp_from(member(object, name), name);
}
double number_in(const Json& object, std::string_view name) {
  const Json& value = member(object, name);
  if (!value.is_number()) throw Wrong(fmt::format("'{}' must be a number", name));
  return value.get<double>();
}
std::string text_in(const Json& object, std::string_view name) {
  const Json& value = member(object, name);
  if (!value.is_string()) throw Wrong(fmt::format("'{}' must be text", name));
  return value.get<std::string>();
}
bool flag_in(const Json& object, std::string_view name) {
  const Json& value = member(object, name);
  if (!value.is_boolean()) throw Wrong(fmt::format("'{}' must be true or false", name));
  return value.get<bool>();
}
const Json& list_in(const Json& object, std::string_view name, std::size_t most) {
  const Json& value = member(object, name);
  if (!value.is_array() || value.size() > most)
    throw Wrong(fmt::format("'{}' must be a list of at most {}", name, most));
  return value;
}
std::vector<std::string> texts_in(const Json& object, std::string_view name) {
  std::vector<std::string> texts;
  for (const Json& item : list_in(object, name, 10'000)) {
    if (!item.is_string()) throw Wrong(fmt::format("'{}' must hold texts", name));
    texts.push_back(item.get<std::string>());
  }
  return texts;
}
std::map<std::string, std::uint64_t> counts_by_text(const Json& object, std::string_view name) {
  const Json& value = member(object, name);
  if (!value.is_object() || value.size() > 10'000) throw Wrong(fmt::format("'{}' must hold counts", name));
  std::map<std::string, std::uint64_t> counts;
  for (const auto& [key, item] : value.items()) counts[key] = count_in(value, key);
  return counts;
}

}  // namespace loadgen::checked_json
