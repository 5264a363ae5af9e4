// TGI's own answers (TGI 3.3.7) and the gateway's.
#include "refserver/api/answer_format.hpp"

#include <array>
#include <charconv>

#include "refserver/api/json_writer.hpp"

namespace refserver {
namespace format_detail {

void append_number(std::uint64_t value, std::string& out) {
  std::array<char, 20> digits{};
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
}

void append_usage(std::uint32_t prompt_tokens, std::uint32_t completion_tokens, std::string& out) {
  out += R"({"prompt_tokens":)";
  append_number(prompt_tokens, out);
  out += R"(,"completion_tokens":)";
  append_number(completion_tokens, out);
  out += R"(,"total_tokens":)";
  append_number(std::uint64_t{prompt_tokens} + completion_tokens, out);
  out += '}';
}

}  // namespace format_detail

namespace {

using format_detail::append_number;

void append_token(const Token& token, std::string& out) {
  out += R"({"id":)";
  append_number(token.id, out);
  out += R"(,"text":)";
  append_json_string(token.text, out);
  out += R"(,"logprob":)";
  append_f32(token.logprob, out);
  out += token.is_special ? R"(,"special":true})" : R"(,"special":false})";
}

void append_seed(const std::optional<std::uint64_t>& seed, std::string& out) {
  out += R"(,"seed":)";
  if (seed) {
    append_number(*seed, out);
  } else {
    out += "null";
  }
}

/// finish_reason, generated_tokens and seed, which both kinds of details begin with.
void append_details_head(const TokenEvent& last, const AnswerShape& shape, std::string& out) {
  out += R"({"finish_reason":")";
  out += native_label(*last.finish);
  out += R"(","generated_tokens":)";
  append_number(last.index, out);
  append_seed(shape.seed, out);
}

void append_gateway_members(const AnswerShape& shape, std::uint32_t tokens, std::string& out) {
  out += R"(,"model":)";
  append_json_string(shape.reported_model, out);
  out += R"(,"tokens":)";
  append_number(tokens, out);
}

/// The events of /generate_stream. The gateway adds "model" and "tokens" to the last one.
class NativeStream final : public StreamFormat {
 public:
  explicit NativeStream(AnswerShape shape) : shape_(std::move(shape)), text_(std::move(shape_.full_text)) {}

  void append(const TokenEvent& event, std::int64_t /*unix_seconds*/, SseBuffer& sse) override {
    if (!event.token.is_special) text_ += event.token.text;
    std::string& out = sse.open_event();
    out += R"({"index":)";
    append_number(event.index, out);
    out += R"(,"token":)";
    append_token(event.token, out);
    if (!event.finish) {
      out += R"(,"generated_text":null,"details":null})";
    } else {
      append_end(event, out);
    }
    sse.close_event();
  }

 private:
  void append_end(const TokenEvent& last, std::string& out) const {
    out += R"(,"generated_text":)";
    append_json_string(text_, out);
    out += R"(,"details":)";
    if (shape_.has_details) {
      append_details_head(last, shape_, out);
      out += R"(,"input_length":)";
      append_number(shape_.prompt_tokens, out);
      out += '}';
    } else {
      out += "null";
    }
    if (shape_.route == Route::gateway) append_gateway_members(shape_, last.index, out);
    out += '}';
  }

  AnswerShape shape_;
  std::string text_;
};

/// The answer of /generate, of / (the same in an array) and of the gateway.
class NativeWhole final : public WholeFormat {
 public:
  explicit NativeWhole(AnswerShape shape) : shape_(std::move(shape)), text_(std::move(shape_.full_text)) {}

  void add(const TokenEvent& event) override {
    if (!event.token.is_special) text_ += event.token.text;
    if (shape_.has_details) {
      tokens_ += tokens_.empty() ? "" : ",";
      append_token(event.token, tokens_);
    }
    if (event.finish) last_ = event;
  }

  std::string body(std::int64_t /*unix_seconds*/) const override {
    const bool is_array = shape_.route == Route::compat;
    std::string out = is_array ? R"([{"generated_text":)" : R"({"generated_text":)";
    append_json_string(text_, out);
    if (shape_.route == Route::gateway) append_gateway_members(shape_, last_.index, out);
    if (shape_.has_details) {
      out += R"(,"details":)";
      append_details_head(last_, shape_, out);
      out += R"(,"prefill":[],"tokens":[)";
      out += tokens_;
      out += "]}";
    }
    return out += is_array ? "}]" : "}";
  }

 private:
  AnswerShape shape_;
  std::string text_;
  std::string tokens_;  ///< "details" entries, already JSON
  TokenEvent last_;
};

}  // namespace

std::string_view native_label(FinishReason reason) {
  switch (reason) {
    case FinishReason::length:
      return "length";
    case FinishReason::eos_token:
      return "eos_token";
    case FinishReason::stop_sequence:
      return "stop_sequence";
  }
  return "unknown";
}

std::string_view openai_label(FinishReason reason) {
  return reason == FinishReason::eos_token ? "stop" : native_label(reason);
}

std::unique_ptr<StreamFormat> make_stream_format(AnswerShape shape) {
  if (shape.route == Route::chat) return format_detail::make_chat_stream(std::move(shape));
  if (shape.route == Route::completions) return format_detail::make_completion_stream(std::move(shape));
  return std::make_unique<NativeStream>(std::move(shape));
}

std::unique_ptr<WholeFormat> make_whole_format(AnswerShape shape) {
  if (shape.route == Route::chat) return format_detail::make_chat_whole(std::move(shape));
  if (shape.route == Route::completions) return format_detail::make_completion_whole(std::move(shape));
  return std::make_unique<NativeWhole>(std::move(shape));
}

void append_stream_error(Route route, const Error& error, SseBuffer& sse) {
  const bool is_openai = route == Route::chat || route == Route::completions;
  std::string& out = sse.open_event();
  out += is_openai ? R"({"error":{"message":)" : R"({"error":)";
  append_json_string(error.text, out);
  if (is_openai) {
    out += R"(,"http_status_code":422}})";  // TGI says 422 here whatever failed
  } else {
    out += R"(,"error_type":)";
    append_json_string(label(error.type), out);
    out += '}';
  }
  sse.close_event();
  if (is_openai) sse.add_event("[DONE]");
}

}  // namespace refserver
