// Kind and range checks of single values.
#include "refserver/checkpoint/config_fields.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

namespace refserver {

using Json = nlohmann::json;

std::string shown(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  return printable(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

ConfigFields::ConfigFields(const Json& object, std::string file, std::string prefix, ConfigFailure& failure)
    : object_(&object), file_(std::move(file)), prefix_(std::move(prefix)), failure_(&failure) {
  if (!object.is_object()) fail("", CheckpointErrc::bad_field, fmt::format("{} is not an object", shown(object)));
}

void ConfigFields::fail(std::string_view key, CheckpointErrc code, std::string text) const {
  if (!failed()) failure_->error = CheckpointError{code, file_, path(key), std::move(text)};
}

const Json* ConfigFields::find(std::string_view key) const {
  if (failed()) return nullptr;
  const auto at = object_->find(key);
  return at == object_->end() || at->is_null() ? nullptr : &*at;
}

const Json* ConfigFields::find_either(std::string_view key, std::string_view other) const {
  const Json* const first = find(key);
  const Json* const second = find(other);
  if (first != nullptr && second != nullptr && *first != *second) {
    fail(key, CheckpointErrc::bad_field, fmt::format("{}, but {} is {}", shown(*first), path(other), shown(*second)));
    return nullptr;
  }
  return first != nullptr ? first : second;
}

std::optional<std::uint64_t> ConfigFields::integer(std::string_view key, std::uint64_t low, std::uint64_t high) const {
  const Json* const value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_number_unsigned()) {
    const auto number = value->get<std::uint64_t>();
    if (number >= low && number <= high) return number;
  }
  fail(key, CheckpointErrc::bad_field, fmt::format("{} is not a whole number from {} to {}", shown(*value), low, high));
  return std::nullopt;
}

std::size_t ConfigFields::needed(std::string_view key, std::uint64_t low, std::uint64_t high) const {
  const auto value = integer(key, low, high);
  if (!value) fail(key, CheckpointErrc::bad_field, "is missing");
  return value.value_or(0);
}

std::optional<double> ConfigFields::number(std::string_view key, double low, double high) const {
  const Json* const value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_number()) {
    const auto number = value->get<double>();
    if (number >= low && number <= high) return number;
  }
  fail(key, CheckpointErrc::bad_field, fmt::format("{} is not a number from {} to {}", shown(*value), low, high));
  return std::nullopt;
}

std::optional<bool> ConfigFields::boolean(std::string_view key) const {
  const Json* const value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  fail(key, CheckpointErrc::bad_field, fmt::format("{} is not true or false", shown(*value)));
  return std::nullopt;
}

std::optional<std::string> ConfigFields::text(std::string_view key) const {
  const Json* const value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  fail(key, CheckpointErrc::bad_field, fmt::format("{} is not a text", shown(*value)));
  return std::nullopt;
}

std::optional<ConfigFields> ConfigFields::object(std::string_view key) const {
  const Json* const value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_object()) return ConfigFields(*value, file_, path(key) + ".", *failure_);
  fail(key, CheckpointErrc::bad_field, fmt::format("{} is not an object", shown(*value)));
  return std::nullopt;
}

}  // namespace refserver
