#include "tokenizer/file/json_node.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tokenizer/file/tokenizer_file.hpp"

namespace tokenizer {

using Json = nlohmann::json;

void JsonNode::refuse(std::string_view text) const {
  if (*first_error_) return;
  *first_error_ = Error{path_.empty() ? std::string(text) : fmt::format("{}: {}", path_, text)};
}

void JsonNode::refuse_value(std::string_view text) const {
  constexpr std::size_t kShown = 160;
  if (!value_) return refuse("is missing");
  if (value_->is_structured()) return refuse(fmt::format("{} {}", value_->is_array() ? "[...]" : "{...}", text));
  std::string shown = value_->dump(-1, ' ', false, Json::error_handler_t::replace);
  if (shown.size() > kShown) shown = shown.substr(0, kShown) + "...";
  refuse(fmt::format("{} {}", shown, text));
}

JsonNode JsonNode::member(std::string_view name) const {
  const std::string key(name);
  const Json* found = nullptr;
  if (value_ && value_->is_object()) {
    const auto at = value_->find(key);
    if (at != value_->end()) found = &*at;
  }
  return {found, path_.empty() ? key : path_ + "." + key, *first_error_};
}

void JsonNode::expect_only(std::initializer_list<std::string_view> names) const {
  if (!value_ || !value_->is_object()) return refuse_value("is not an object");
  for (const auto& item : value_->items()) {
    if (std::find(names.begin(), names.end(), item.key()) != names.end()) continue;
    member(item.key()).refuse_value("is a member that this tokenizer does not know");
  }
}

std::vector<JsonNode> JsonNode::elements() const {
  std::vector<JsonNode> nodes;
  if (!value_ || !value_->is_array()) {
    refuse_value("is not a list");
    return nodes;
  }
  for (std::size_t i = 0; i < value_->size(); ++i) {
    nodes.emplace_back(&(*value_)[i], fmt::format("{}[{}]", path_, i), *first_error_);
  }
  return nodes;
}

bool JsonNode::boolean() const {
  if (value_ && value_->is_boolean()) return value_->get<bool>();
  refuse_value("is neither true nor false");
  return false;
}

std::uint32_t JsonNode::id() const {
  if (value_ && value_->is_number_unsigned() && value_->get<std::uint64_t>() < kIdLimit) {
    return value_->get<std::uint32_t>();
  }
  refuse_value(fmt::format("is not an id (a whole number below {})", kIdLimit));
  return 0;
}

std::string JsonNode::string() const {
  if (value_ && value_->is_string()) return value_->get<std::string>();
  refuse_value("is not a string");
  return {};
}

std::optional<std::string> JsonNode::filled_string() const {
  if (is_null()) return std::nullopt;
  std::string text = string();
  return text.empty() ? std::nullopt : std::optional(std::move(text));
}

}  // namespace tokenizer
