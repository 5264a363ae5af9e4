// A SAX handler that builds the document and stops at the first thing wrong.
#include "refserver/checkpoint/json_document.hpp"

#include <fmt/format.h>

#include <utility>
#include <vector>

namespace refserver {
namespace {

using Json = nlohmann::json;

class Builder final : public nlohmann::json_sax<Json> {
 public:
  explicit Builder(JsonLimits limits) : limits_(limits) {}

  bool null() override { return put(nullptr) != nullptr; }
  bool boolean(bool value) override { return put(value) != nullptr; }
  bool number_integer(number_integer_t value) override { return put(value) != nullptr; }
  bool number_unsigned(number_unsigned_t value) override { return put(value) != nullptr; }
  bool number_float(number_float_t value, const string_t&) override { return put(value) != nullptr; }
  bool string(string_t& value) override { return put(std::move(value)) != nullptr; }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (stack_.back()->contains(name)) return fail(fmt::format("\"{}\" is given twice", printable(name)));
    key_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const Json::exception& e) override {
    return fail(plain_reason(e.what()));
  }

  Json take() { return std::move(root_); }
  const std::string& reason() const { return reason_; }

 private:
  Json* put(Json value) {
    if (++values_ > limits_.values) {
      fail(fmt::format("more than {} values", limits_.values));
      return nullptr;
    }
    if (stack_.empty()) return &(root_ = std::move(value));
    Json& parent = *stack_.back();
    if (parent.is_object()) return &(parent[key_] = std::move(value));
    parent.push_back(std::move(value));
    return &parent.back();
  }
  bool open(Json container) {
    if (stack_.size() >= limits_.depth) return fail(fmt::format("nested deeper than {}", limits_.depth));
    Json* const at = put(std::move(container));
    if (at == nullptr) return false;
    stack_.push_back(at);  // stays valid: a parent grows only after its open child was closed
    return true;
  }
  bool close() {
    stack_.pop_back();
    return true;
  }
  bool fail(std::string reason) {
    if (reason_.empty()) reason_ = std::move(reason);
    return false;
  }

  JsonLimits limits_;
  Json root_;
  std::vector<Json*> stack_;
  std::string key_;
  std::size_t values_ = 0;
  std::string reason_;
};

}  // namespace

std::string plain_reason(const char* what) {
  const std::string text = what;
  const std::size_t at = text.find("] ");
  return printable(at == std::string::npos ? text : text.substr(at + 2));
}

CheckpointResult<nlohmann::json> parse_json(std::string_view text, const std::string& file, JsonLimits limits) {
  Builder builder(limits);
  // In place: a json value converts to anything, which leaves the result's own conversions ambiguous.
  if (Json::sax_parse(text, &builder)) return CheckpointResult<Json>(boost::system::in_place_value, builder.take());
  return CheckpointError{CheckpointErrc::bad_json, file, "", builder.reason()};
}

}  // namespace refserver
