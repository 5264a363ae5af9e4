// The checks behind each typed value, each with its message.
#include "loadgen/plan/object_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "loadgen/plan/text.hpp"
#include "loadgen/plan/units.hpp"

namespace loadgen {
namespace {

constexpr double exact_integers = 9007199254740992.0;  // 2^53

bool is_name(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

/// `text` cut to `bytes` without splitting a character.
std::string shortened(std::string text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0U) == 0x80U) --bytes;
  return text.substr(0, bytes) + "...";
}

std::optional<std::int64_t> whole(const Json& value) {
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (!value.is_number_float()) return std::nullopt;
  const double number = value.get<double>();  // 120.0 is an integer for JSON Schema too
  if (std::abs(number) > exact_integers || std::trunc(number) != number) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

}  // namespace

std::string shown(const Json& value) {
  if (value.is_object()) return "a mapping";
  if (value.is_array()) return "a list";
  if (value.is_null()) return "empty";
  if (value.is_string()) return fmt::format("the text '{}'", shortened(value.get<std::string>(), 60));
  return value.dump();
}

ObjectReader::ObjectReader(const Document& document, std::string pointer, ScenarioErrors& errors,
                           std::initializer_list<std::string_view> keys)
    : document_(document), pointer_(std::move(pointer)), errors_(errors) {
  const Json& value = document_.root.at(Json::json_pointer(pointer_));
  if (!value.is_object()) {
    errors_.push_back(document_.error_at(pointer_, fmt::format("must be a mapping with the keys {}, is {}",
                                                               joined({keys.begin(), keys.size()}), shown(value))));
    return;
  }
  object_ = &value;
  refuse_unknown(keys);
}

void ObjectReader::refuse_unknown(std::initializer_list<std::string_view> keys) const {
  const std::span<const std::string_view> known(keys.begin(), keys.size());
  for (const auto& [key, value] : object_->items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    std::string hint = did_you_mean(key, known);
    if (hint.empty()) hint = fmt::format("; the keys here are {}", joined(known));
    errors_.push_back(document_.error_at(step(pointer_, key), "is not a known key" + hint));
  }
}

bool ObjectReader::has(std::string_view key) const {
  return object_ != nullptr && object_->contains(key);
}

const Json* ObjectReader::find(std::string_view key) const {
  if (!has(key)) return nullptr;
  const Json& value = object_->at(std::string(key));
  if (!value.is_null()) return &value;
  fail(key, "has no value; give one or remove the key");
  return nullptr;
}

void ObjectReader::fail(std::string_view key, std::string message) const {
  errors_.push_back(document_.error_at(key.empty() ? pointer_ : pointer(key), std::move(message)));
}

void ObjectReader::fail_in(std::string_view key, std::string_view inner, std::string message) const {
  errors_.push_back(document_.error_at(step(pointer(key), inner), std::move(message)));
}

std::optional<std::string> ObjectReader::checked_text(const Json& value, const std::string& at, TextRange range) const {
  const auto refuse = [&](std::string message) {
    errors_.push_back(document_.error_at(at, std::move(message)));
    return std::nullopt;
  };
  if (!value.is_string()) return refuse(fmt::format("must be text, is {}; put it in quotes", shown(value)));
  const auto& text = value.get_ref<const std::string&>();
  if (text.empty()) return refuse("must not be empty text");
  if (text.size() > range.max_bytes) {
    return refuse(fmt::format("must be at most {} bytes long, is {}", range.max_bytes, text.size()));
  }
  if (range.kind == TextRange::Kind::line && has_control_character(text)) {
    return refuse("must not hold line breaks or other control characters");
  }
  if (range.kind == TextRange::Kind::name && !is_name(text)) {
    return refuse(fmt::format("must be letters, digits, '.', '_' and '-' only, is {}", shown(value)));
  }
  return text;
}

std::optional<std::string> ObjectReader::text(std::string_view key, TextRange range) const {
  const Json* const value = find(key);
  return value == nullptr ? std::nullopt : checked_text(*value, pointer(key), range);
}

std::optional<double> ObjectReader::number(std::string_view key, NumberRange range) const {
  const Json* const value = find(key);
  if (value == nullptr) return std::nullopt;
  const bool open_below = range.lower == NumberRange::Min::excluded;
  if (value->is_number()) {
    const double number = value->get<double>();
    if ((open_below ? number > range.min : number >= range.min) && number <= range.max) return number;
  }
  fail(key, open_below
                ? fmt::format("must be a number above {} and at most {}, is {}", range.min, range.max, shown(*value))
                : fmt::format("must be a number from {} to {}, is {}", range.min, range.max, shown(*value)));
  return std::nullopt;
}

std::optional<std::int64_t> ObjectReader::integer(std::string_view key, IntegerRange range) const {
  const Json* const value = find(key);
  if (value == nullptr) return std::nullopt;
  const std::optional<std::int64_t> number = whole(*value);
  if (number && *number >= range.min && *number <= range.max) return number;
  fail(key, fmt::format("must be a whole number from {} to {}, is {}", range.min, range.max, shown(*value)));
  return std::nullopt;
}

std::optional<bool> ObjectReader::boolean(std::string_view key) const {
  const Json* const value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  fail(key, fmt::format("must be true or false, is {}", shown(*value)));
  return std::nullopt;
}

std::optional<std::chrono::nanoseconds> ObjectReader::duration(std::string_view key, DurationRange range) const {
  const Json* const value = find(key);
  if (value == nullptr) return std::nullopt;
  const bool zero = value->is_number() && value->get<double>() == 0;  // 0 needs no unit, every other number does
  if (!value->is_string() && !zero) {
    fail(key, fmt::format("must be a duration with its unit, such as 500ms or 15s, is {}", shown(*value)));
    return std::nullopt;
  }
  const auto duration = parse_duration(zero ? std::string_view("0") : value->get_ref<const std::string&>());
  if (!duration) {
    fail(key, duration.error());
    return std::nullopt;
  }
  if (*duration >= range.min && *duration <= range.max) return *duration;
  fail(key, fmt::format("must be a duration from {} to {}, is {}", duration_text(range.min), duration_text(range.max),
                        duration_text(*duration)));
  return std::nullopt;
}

std::optional<std::vector<std::string>> ObjectReader::texts(std::string_view key, std::size_t max_items,
                                                            TextRange range) const {
  const Json* const value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_array() || value->empty() || value->size() > max_items) {
    const std::string is = value->is_array() ? fmt::format("a list of {}", value->size()) : shown(*value);
    fail(key, fmt::format("must be a list of 1 to {} texts, is {}", max_items, is));
    return std::nullopt;
  }
  std::vector<std::string> items;
  for (std::size_t i = 0; i < value->size(); ++i) {
    auto item = checked_text((*value)[i], step(pointer(key), i), range);
    if (item) items.push_back(std::move(*item));
  }
  if (items.size() < value->size()) return std::nullopt;
  return items;
}

std::optional<std::size_t> ObjectReader::word(std::string_view key,
                                              std::initializer_list<std::string_view> words) const {
  const Json* const value = find(key);
  if (value == nullptr) return std::nullopt;
  const std::span<const std::string_view> known(words.begin(), words.size());
  if (value->is_string()) {
    const auto at = std::find(words.begin(), words.end(), value->get_ref<const std::string&>());
    if (at != words.end()) return static_cast<std::size_t>(at - words.begin());
  }
  const std::string hint = value->is_string() ? did_you_mean(value->get_ref<const std::string&>(), known) : "";
  fail(key, fmt::format("must be one of {}, is {}{}", joined(known), shown(*value), hint));
  return std::nullopt;
}

}  // namespace loadgen
