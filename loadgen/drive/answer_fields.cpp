// A SAX handler that follows the few paths we care about and ignores everything else, at any depth.
#include "loadgen/drive/answer_fields.hpp"

#include <array>
#include <nlohmann/json.hpp>

namespace loadgen {
namespace {

/// Where in the answer the parser is. `other` is any place we do not read.
enum class Node : std::uint8_t {
  other,
  root,
  token,
  generated_text,
  details,
  usage,
  choices,
  choice,
  delta,
  tool_calls,
  error,
  error_type,
  error_message,
  error_code,
  generated_tokens,
  prompt_tokens,
  finish_reason,
  text,
  reasoning
};

/// The node that `key` leads to from `parent`.
Node child(Node parent, std::string_view key) noexcept {
  switch (parent) {
    case Node::root:
      if (key == "token") return Node::token;
      if (key == "generated_text") return Node::generated_text;
      if (key == "details") return Node::details;
      if (key == "choices") return Node::choices;
      if (key == "usage") return Node::usage;
      if (key == "tokens") return Node::generated_tokens;
      if (key == "error") return Node::error;
      if (key == "error_type") return Node::error_type;
      break;
    case Node::details:
      if (key == "finish_reason") return Node::finish_reason;
      if (key == "generated_tokens") return Node::generated_tokens;
      if (key == "input_length") return Node::prompt_tokens;
      break;
    case Node::usage:
      if (key == "completion_tokens") return Node::generated_tokens;
      if (key == "prompt_tokens") return Node::prompt_tokens;
      break;
    case Node::choice:
      if (key == "delta" || key == "message") return Node::delta;
      if (key == "text") return Node::text;
      if (key == "finish_reason") return Node::finish_reason;
      break;
    case Node::delta:
      if (key == "content") return Node::text;
      if (key == "reasoning_content" || key == "reasoning") return Node::reasoning;
      if (key == "tool_calls") return Node::tool_calls;
      break;
    case Node::tool_calls:
      return key == "index" || key == "type" ? Node::other : Node::tool_calls;
    case Node::error:
      if (key == "message") return Node::error_message;
      if (key == "type") return Node::error_type;
      break;
    default:
      break;
  }
  return Node::other;
}

class FieldReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit FieldReader(AnswerFields& fields) : fields_(fields) {}

  bool null() override { return depth_ > 0; }  // an answer is an object, not a bare value
  bool boolean(bool) override { return scalar(); }
  bool number_integer(number_integer_t value) override {
    return number(value < 0 ? 0 : static_cast<std::uint64_t>(value));
  }
  bool number_unsigned(number_unsigned_t value) override { return number(value); }
  bool number_float(number_float_t, const string_t&) override { return scalar(); }
  bool binary(binary_t&) override { return true; }
  bool string(string_t& value) override {
    on_string(value);
    return scalar();
  }
  bool start_object(std::size_t) override {
    if (depth_ == 0) return push(Node::root);
    const Node here = current_;
    if (here == Node::token) fields_.has_token = true;
    if (here == Node::error) fields_.has_error = true;
    // Inside the choices array each object is one choice; only the first is read.
    if (parent() == Node::choices && in_array_) {
      ++fields_.choices;
      return push(fields_.choices == 1 ? Node::choice : Node::other);
    }
    return push(here);
  }
  bool end_object() override { return pop(); }
  bool start_array(std::size_t) override {
    if (depth_ == 0) return false;  // an answer is an object
    if (current_ == Node::choices) fields_.has_choices = true;
    push(current_ == Node::choices || current_ == Node::tool_calls ? current_ : Node::other);
    in_array_ = true;
    return true;
  }
  bool end_array() override { return pop(); }
  bool key(string_t& name) override {
    current_ = child(parent(), name);
    in_array_ = false;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) override { return false; }

 private:
  struct Frame {
    Node node = Node::other;
    bool in_array = false;
  };

  Node parent() const noexcept { return depth_ == 0 ? Node::other : stack_[depth_ - 1].node; }

  bool push(Node node) {
    if (depth_ == stack_.size()) return false;  // deeper than any real answer: refused
    if (depth_ > 0) stack_[depth_ - 1].in_array = in_array_;
    stack_[depth_++] = Frame{node, false};
    current_ = node;
    in_array_ = false;
    return true;
  }
  bool pop() {
    --depth_;
    if (depth_ > 0) {
      in_array_ = stack_[depth_ - 1].in_array;
      current_ = stack_[depth_ - 1].node;
    }
    return true;
  }

  bool scalar() {
    if (current_ == Node::error) fields_.has_error = true;
    return depth_ > 0;
  }
  bool number(std::uint64_t value) {
    const auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(value, UINT32_MAX));
    if (current_ == Node::generated_tokens) fields_.generated_tokens = count;
    if (current_ == Node::prompt_tokens) fields_.prompt_tokens = count;
    return scalar();
  }
  void on_string(std::string& value) {
    switch (current_) {
      case Node::generated_text:
        fields_.has_generated_text = true;
        fields_.generated_text_empty = value.empty();
        break;
      case Node::finish_reason:
        fields_.finish_reason = value;
        break;
      case Node::text:
        fields_.has_text = fields_.has_text || !value.empty();
        break;
      case Node::reasoning:
        fields_.has_reasoning = fields_.has_reasoning || !value.empty();
        break;
      case Node::tool_calls:
        fields_.has_call = fields_.has_call || !value.empty();
        break;
      case Node::error:
      case Node::error_message:
        fields_.error = value;
        break;
      case Node::error_type:
        fields_.error_type = value;
        break;
      default:
        break;
    }
  }

  AnswerFields& fields_;
  std::array<Frame, 64> stack_{};
  std::size_t depth_ = 0;
  Node current_ = Node::other;
  bool in_array_ = false;
};

}  // namespace

void AnswerFields::clear() {
  has_token = has_generated_text = has_choices = has_text = has_reasoning = has_call = has_error = false;
  generated_text_empty = true;
  choices = 0;
  generated_tokens.reset();
  prompt_tokens.reset();
  finish_reason.clear();
  error.clear();
  error_type.clear();
}

bool read_answer_fields(std::string_view json, AnswerFields& fields) {
  fields.clear();
  FieldReader reader(fields);
  return nlohmann::json::sax_parse(json.begin(), json.end(), &reader);
}

}  // namespace loadgen
