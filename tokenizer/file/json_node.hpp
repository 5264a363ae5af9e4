// A value of the JSON tree with the path that errors name it by. The first complaint is kept, later ones are dropped,
// so that reading code needs no test after every member.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/result.hpp"

namespace tokenizer {

class JsonNode {
 public:
  /// `first_error` gets the first complaint about this value or one below it.
  JsonNode(const nlohmann::json* value, std::string path, std::optional<Error>& first_error)
      : value_(value), path_(std::move(path)), first_error_(&first_error) {}

  /// Absent members count as null.
  bool is_null() const { return !value_ || value_->is_null(); }
  /// "path: text".
  void refuse(std::string_view text) const;
  /// "path: VALUE text", with the value cut to a readable length.
  void refuse_value(std::string_view text) const;

  JsonNode member(std::string_view name) const;
  /// Complains about every member that is not listed: it could ask for something that we would not do.
  void expect_only(std::initializer_list<std::string_view> names) const;
  std::vector<JsonNode> elements() const;
  bool boolean() const;
  /// For members that may be absent or null.
  bool boolean_or(bool otherwise) const { return is_null() ? otherwise : boolean(); }
  bool is_zero() const { return value_ && value_->is_number() && value_->get<double>() == 0; }
  /// A number below kIdLimit.
  std::uint32_t id() const;
  std::string string() const;
  /// A string, or nothing where the member is null, absent or empty.
  std::optional<std::string> filled_string() const;
  /// The member "type"; empty, with a complaint, where there is none.
  std::string type() const { return member("type").string(); }

 private:
  const nlohmann::json* value_;
  std::string path_;
  std::optional<Error>* first_error_;
};

}  // namespace tokenizer
