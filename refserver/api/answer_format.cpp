// TGI's own answers (TGI 3.3.7) and the gateway's.
#include "refserver/api/answer_format.hpp"

#include <array>
#include <charconv>

#include "refserver/api/json_writer.hpp"
#include "refserver/api/server_answers.hpp"

namespace refserver {
namespace format_detail {

void append_number(std::uint64_t value, std::string& out) {
  std::array<char, 20> digits{};
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
}

void append_usage(std::uint64_t prompt_tokens, std::uint64_t completion_tokens, std::string& out) {
  out += R"({"prompt_tokens":)";
  append_number(prompt_tokens, out);
  out += R"(,"completion_tokens":)";
  append_number(completion_tokens, out);
  out += R"(,"total_tokens":)";
  append_number(prompt_tokens + completion_tokens, out);
  out += '}';
}

}  // namespace format_detail

namespace {

using format_detail::append_number;

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

void append_token(const Token& token, std::string_view text, std::string& out) {
  out += R"({"id":)";
  append_number(token.id, out);
  out += R"(,"text":)";
  append_json_string(text, out);
  out += R"(,"logprob":)";
  append_f32(token.logprob, out);
  out += token.is_special ? R"(,"special":true})" : R"(,"special":false})";
}

void append_tokens(std::span<const Token> tokens, std::string& out) {
  out += '[';
  for (const Token& token : tokens) {
    if (out.back() != '[') out += ',';
    append_token(token, token.text, out);
  }
  out += ']';
}

/// finish_reason, generated_tokens and seed, which all kinds of details have.
void append_ending(FinishReason finish, std::uint32_t tokens, const AnswerShape& shape, std::string& out) {
  out += R"("finish_reason":")";
  out += native_label(finish);
  out += R"(","generated_tokens":)";
  append_number(tokens, out);
  out += R"(,"seed":)";
  if (shape.seed) {
    append_number(*shape.seed, out);
  } else {
    out += "null";
  }
}

void append_gateway_members(const AnswerShape& shape, std::uint32_t tokens, std::string& out) {
  out += R"(,"model":)";
  append_json_string(shape.reported_model, out);
  out += R"(,"tokens":)";
  append_number(tokens, out);
}

/// TGI loses the whole text of an answer that was cut off inside a character.
bool is_lost(std::string_view text, Dialect dialect) {
  return dialect == Dialect::strict_tgi && text.ends_with(kReplacement);
}

/// The events of /generate_stream. The gateway adds "model" and "tokens" to the last one.
class NativeStream final : public StreamFormat {
 public:
  explicit NativeStream(AnswerShape shape) : shape_(std::move(shape)) {}

  void append(const TokenEvent& event, std::int64_t /*unix_seconds*/, SseBuffer& sse) override {
    if (!event.token.is_special) text_ += event.token.text;
    std::string& out = sse.open_event();
    out += R"({"index":)";
    append_number(event.index, out);
    out += R"(,"token":)";
    append_token(event.token, format_detail::shown_text(event, shape_.dialect), out);
    if (!event.top_tokens.empty()) {
      out += R"(,"top_tokens":)";
      append_tokens(event.top_tokens, out);
    }
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
    append_json_string(shape_.full_text + (is_lost(text_, shape_.dialect) ? "" : text_), out);
    out += R"(,"details":)";
    if (shape_.has_details) {
      out += '{';
      append_ending(*last.finish, last.index, shape_, out);
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

/// What a winner's details and every entry of best_of_sequences share.
void append_sequence(const CollectedAnswer& answer, std::string& out) {
  append_ending(answer.finish(), answer.tokens(), answer.shape(), out);
  out += R"(,"prefill":[],"tokens":[)";  // filled only with --enable-prefill-logprobs, also in TGI
  out += answer.token_items();
  out += ']';
}

void append_top_tokens(const CollectedAnswer& answer, std::string& out) {
  if (!answer.shape().has_top_tokens) return;
  out += R"(,"top_tokens":[)";
  out += answer.top_items();
  out += ']';
}

/// The answer of /generate, of / (the same in an array) and of the gateway.
std::string make_native_body(std::span<const CollectedAnswer* const> parts) {
  const CollectedAnswer& best = *parts.front();
  const AnswerShape& shape = best.shape();
  const bool is_array = shape.route == Route::compat;
  std::string out = is_array ? R"([{"generated_text":)" : R"({"generated_text":)";
  append_json_string(best.text(), out);
  if (shape.route == Route::gateway) append_gateway_members(shape, best.tokens(), out);
  if (shape.has_details) {
    out += R"(,"details":{)";
    append_sequence(best, out);
    if (parts.size() > 1) {
      out += R"(,"best_of_sequences":[)";
      for (const CollectedAnswer* const other : parts.subspan(1)) {
        if (out.back() != '[') out += ',';
        out += R"({"generated_text":)";
        append_json_string(other->text(), out);
        out += ',';
        append_sequence(*other, out);
        append_top_tokens(*other, out);
        out += '}';
      }
      out += ']';
    }
    append_top_tokens(best, out);
    out += '}';
  }
  return out += is_array ? "}]" : "}";
}

std::string make_vertex_body(std::span<const CollectedAnswer* const> parts) {
  std::string out = R"({"predictions":[)";
  for (const CollectedAnswer* const part : parts) {
    if (out.back() != '[') out += ',';
    append_json_string(part->text(), out);
  }
  return out += "]}";
}

bool is_openai(Route route) {
  return route == Route::chat || route == Route::completions;
}

}  // namespace

std::string_view format_detail::shown_text(const TokenEvent& event, Dialect dialect) {
  return event.finish && is_lost(event.token.text, dialect) ? std::string_view() : event.token.text;
}

CollectedAnswer::CollectedAnswer(AnswerShape shape) : shape_(std::move(shape)) {}

void CollectedAnswer::add(const TokenEvent& event) {
  if (!event.token.is_special) text_ += event.token.text;
  ++tokens_;
  logprob_sum_ += event.token.logprob;
  if (event.finish) finish_ = *event.finish;
  const bool is_chat = shape_.route == Route::chat;
  if (is_chat ? !shape_.has_logprobs : !shape_.has_details) return;
  if (tokens_ > 1) token_items_ += ',';
  if (is_chat) return format_detail::append_chat_logprob(event, token_items_);
  append_token(event.token, format_detail::shown_text(event, shape_.dialect), token_items_);
  if (!shape_.has_top_tokens) return;
  if (tokens_ > 1) top_items_ += ',';
  append_tokens(event.top_tokens, top_items_);
}

std::string CollectedAnswer::text() const {
  return shape_.full_text + (is_lost(text_, shape_.dialect) ? std::string() : text_);
}

std::string make_whole_body(std::span<const CollectedAnswer* const> parts, std::int64_t unix_seconds) {
  switch (parts.front()->shape().route) {
    case Route::chat:
      return format_detail::make_chat_body(*parts.front(), unix_seconds);
    case Route::completions:
      return format_detail::make_completion_body(parts, unix_seconds);
    case Route::vertex:
      return make_vertex_body(parts);
    default:
      return make_native_body(parts);
  }
}

std::string_view version_of(Dialect dialect) {
  // The release of TGI that is spoken here calls itself this.
  return dialect == Dialect::strict_tgi ? "3.3.6-dev0" : "3.3.7-plumbline";
}

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

void append_stream_end(Route route, SseBuffer& sse) {
  if (is_openai(route)) sse.add_event("[DONE]");
}

void append_stream_error(Route route, Dialect dialect, const Error& error, SseBuffer& sse) {
  std::string& out = sse.open_event();
  if (is_openai(route)) {
    out += R"({"error":{"message":)";
    append_json_string(error.text, out);
    out += R"(,"http_status_code":)";
    // TGI says 422 here whatever failed.
    const int status = dialect == Dialect::strict_tgi ? 422 : http_status(error.type);
    append_number(static_cast<std::uint64_t>(status), out);
    out += "}}";
  } else {
    out += R"({"error":)";
    append_json_string(error.text, out);
    out += R"(,"error_type":)";
    append_json_string(label(error.type), out);
    out += '}';
  }
  sse.close_event();
}

}  // namespace refserver
