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
  out += kVersion;
  out += R"(-native")";
  return out;
}

void append_head(std::string_view object, std::int64_t unix_seconds, std::string& out) {
  out += R"({"object":")";
  out += object;
  out += R"(","id":"","created":)";
  append_number(static_cast<std::uint64_t>(unix_seconds), out);
}

void append_logprob(const Token& token, std::string& out) {
  out += R"({"token":)";
  append_json_string(token.text, out);
  out += R"(,"logprob":)";
  append_f32(token.logprob, out);
  out += R"(,"top_logprobs":[]})";
}

class ChatStream final : public StreamFormat {
 public:
  explicit ChatStream(AnswerShape shape) : shape_(std::move(shape)), members_(model_members(shape_)) {}

  void append(const TokenEvent& event, std::int64_t unix_seconds, SseBuffer& sse) override {
    std::string& out = sse.open_event();
    append_head("chat.completion.chunk", unix_seconds, out);
    out += members_;
    out += R"(,"choices":[{"index":0,"delta":{"role":"assistant","content":)";
    append_json_string(event.token.is_special ? "" : event.token.text, out);
    out += R"(},"logprobs":)";
    if (shape_.has_logprobs) {
      out += R"({"content":[)";
      append_logprob(event.token, out);
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
    if (event.finish) append_end(event, unix_seconds, sse);
  }

 private:
  void append_end(const TokenEvent& last, std::int64_t unix_seconds, SseBuffer& sse) const {
    if (shape_.includes_usage) {
      std::string& out = sse.open_event();
      append_head("chat.completion.chunk", unix_seconds, out);
      out += members_;
      out += R"(,"choices":[],"usage":)";
      append_usage(shape_.prompt_tokens, last.index, out);
      out += '}';
      sse.close_event();
    }
    sse.add_event("[DONE]");
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
    out += R"(,"choices":[{"index":0,"text":)";
    append_json_string(event.token.text, out);
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
    if (event.finish) sse.add_event("[DONE]");
  }

 private:
  AnswerShape shape_;
  std::string members_;
};

class OpenAiWhole final : public WholeFormat {
 public:
  explicit OpenAiWhole(AnswerShape shape) : shape_(std::move(shape)) {}

  void add(const TokenEvent& event) override {
    if (!event.token.is_special) text_ += event.token.text;
    if (shape_.has_logprobs) {
      logprobs_ += logprobs_.empty() ? "" : ",";
      append_logprob(event.token, logprobs_);
    }
    if (event.finish) last_ = event;
  }

  std::string body(std::int64_t unix_seconds) const override {
    const bool is_chat = shape_.route == Route::chat;
    std::string out;
    append_head(is_chat ? "chat.completion" : "text_completion", unix_seconds, out);
    out += model_members(shape_);
    out += is_chat ? R"(,"choices":[{"index":0,"message":{"role":"assistant","content":)"
                   : R"(,"choices":[{"index":0,"text":)";
    append_json_string(text_, out);
    out += is_chat ? R"(},"logprobs":)" : R"(,"logprobs":)";
    out += is_chat && shape_.has_logprobs ? R"({"content":[)" + logprobs_ + "]}" : "null";
    out += R"(,"finish_reason":)";
    append_json_string(openai_label(*last_.finish), out);
    out += R"(}],"usage":)";
    append_usage(shape_.prompt_tokens, last_.index, out);
    return out += '}';
  }

 private:
  AnswerShape shape_;
  std::string text_;
  std::string logprobs_;
  TokenEvent last_;
};

}  // namespace

std::unique_ptr<StreamFormat> make_chat_stream(AnswerShape shape) {
  return std::make_unique<ChatStream>(std::move(shape));
}

std::unique_ptr<StreamFormat> make_completion_stream(AnswerShape shape) {
  return std::make_unique<CompletionStream>(std::move(shape));
}

std::unique_ptr<WholeFormat> make_chat_whole(AnswerShape shape) {
  return std::make_unique<OpenAiWhole>(std::move(shape));
}

std::unique_ptr<WholeFormat> make_completion_whole(AnswerShape shape) {
  return std::make_unique<OpenAiWhole>(std::move(shape));
}

}  // namespace refserver::format_detail
