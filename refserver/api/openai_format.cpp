// Chat completions and completions in TGI's shape (TGI 3.3.7). Only what differs between chunks is formatted
// per token; the rest is prepared once per stream.
#include "refserver/api/answer_format.hpp"
#include "refserver/api/json_writer.hpp"

namespace refserver::format_detail {
namespace {

/// `,"model":"...","system_fingerprint":"..."`
std::string model_members(const AnswerShape& shape) {
  std::string out = R"(,"model":)";
  append_json_string(shape.reported_model, out);
  out += R"(,"system_fingerprint":")";
  out += version_of(shape.dialect);
  out += R"(-native")";
  return out;
}

void append_head(std::string_view object, std::int64_t unix_seconds, std::string& out) {
  out += R"({"object":")";
  out += object;
  out += R"(","id":"","created":)";
  append_number(static_cast<std::uint64_t>(unix_seconds), out);
}

class ChatStream final : public StreamFormat {
 public:
  explicit ChatStream(AnswerShape shape) : shape_(std::move(shape)), members_(model_members(shape_)) {}

  void append(const TokenEvent& event, std::int64_t unix_seconds, SseBuffer& sse) override {
    std::string& out = sse.open_event();
    append_head("chat.completion.chunk", unix_seconds, out);
    out += members_;
    out += R"(,"choices":[{"index":0,"delta":{"role":"assistant","content":)";
    append_json_string(event.token.is_special ? "" : shown_text(event, shape_.dialect), out);
    out += R"(},"logprobs":)";
    if (shape_.has_logprobs) {
      out += R"({"content":[)";
      append_chat_logprob(event, out);
      out += "]}";
    } else {
      out += "null";
    }
    out += R"(,"finish_reason":)";
    if (event.finish) {
      append_json_string(openai_label(*event.finish), out);
    } else {
      out += "null";
    }
    out += R"(}],"usage":null})";
    sse.close_event();
    if (event.finish && shape_.includes_usage) append_usage_chunk(event, unix_seconds, sse);
  }

 private:
  void append_usage_chunk(const TokenEvent& last, std::int64_t unix_seconds, SseBuffer& sse) const {
    std::string& out = sse.open_event();
    append_head("chat.completion.chunk", unix_seconds, out);
    out += members_;
    out += R"(,"choices":[],"usage":)";
    append_usage(shape_.prompt_tokens, last.index, out);
    out += '}';
    sse.close_event();
  }

  AnswerShape shape_;
  std::string members_;
};

class CompletionStream final : public StreamFormat {
 public:
  explicit CompletionStream(AnswerShape shape) : shape_(std::move(shape)), members_(model_members(shape_)) {}

  void append(const TokenEvent& event, std::int64_t unix_seconds, SseBuffer& sse) override {
    std::string& out = sse.open_event();
    append_head("text_completion", unix_seconds, out);
    // The member order of intermediate chunks differs from that of the last one, as in TGI.
    if (event.finish) out += members_;
    out += R"(,"choices":[{"index":)";
    append_number(shape_.choice, out);
    out += R"(,"text":)";
    append_json_string(shown_text(event, shape_.dialect), out);
    out += R"(,"logprobs":null,"finish_reason":")";
    if (event.finish) out += native_label(*event.finish);
    out += R"("}])";
    if (event.finish) {
      out += R"(,"usage":)";
      append_usage(shape_.prompt_tokens, event.index, out);
    } else {
      out += members_;
    }
    out += '}';
    sse.close_event();
  }

 private:
  AnswerShape shape_;
  std::string members_;
};

}  // namespace

void append_chat_logprob(const TokenEvent& event, std::string& out) {
  const auto append_pair = [&out](const Token& token) {
    out += R"({"token":)";
    append_json_string(token.text, out);
    out += R"(,"logprob":)";
    append_f32(token.logprob, out);
  };
  append_pair(event.token);
  out += R"(,"top_logprobs":[)";
  for (const Token& token : event.top_tokens) {
    if (out.back() != '[') out += ',';
    append_pair(token);
    out += '}';
  }
  out += "]}";
}

std::string make_chat_body(const CollectedAnswer& answer, std::int64_t unix_seconds) {
  const AnswerShape& shape = answer.shape();
  std::string out;
  append_head("chat.completion", unix_seconds, out);
  out += model_members(shape);
  out += R"(,"choices":[{"index":0,"message":{"role":"assistant","content":)";
  append_json_string(answer.text(), out);
  out += R"(},"logprobs":)";
  out += shape.has_logprobs ? R"({"content":[)" + answer.token_items() + "]}" : "null";
  out += R"(,"finish_reason":)";
  append_json_string(openai_label(answer.finish()), out);
  out += R"(}],"usage":)";
  append_usage(shape.prompt_tokens, answer.tokens(), out);
  return out += '}';
}

std::string make_completion_body(std::span<const CollectedAnswer* const> parts, std::int64_t unix_seconds) {
  std::string out;
  append_head("text_completion", unix_seconds, out);
  out += model_members(parts.front()->shape());
  out += R"(,"choices":[)";
  std::uint64_t prompt_tokens = 0;
  std::uint64_t completion_tokens = 0;
  for (const CollectedAnswer* const part : parts) {
    if (out.back() != '[') out += ',';
    out += R"({"index":)";
    append_number(part->shape().choice, out);
    out += R"(,"text":)";
    append_json_string(part->text(), out);
    out += R"(,"logprobs":null,"finish_reason":)";
    append_json_string(openai_label(part->finish()), out);
    out += '}';
    prompt_tokens += part->shape().prompt_tokens;
    completion_tokens += part->tokens();
  }
  out += R"(],"usage":)";
  append_usage(prompt_tokens, completion_tokens, out);
  return out += '}';
}

std::unique_ptr<StreamFormat> make_chat_stream(AnswerShape shape) {
  return std::make_unique<ChatStream>(std::move(shape));
}

std::unique_ptr<StreamFormat> make_completion_stream(AnswerShape shape) {
  return std::make_unique<CompletionStream>(std::move(shape));
}

}  // namespace refserver::format_detail
