// How tokens become bytes, one format per route. Knows TGI's JSON byte for byte; knows no socket, clock or header.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "refserver/api/sse_buffer.hpp"
#include "refserver/api/token_event.hpp"
#include "refserver/api/valid_request.hpp"
#include "refserver/error.hpp"

namespace refserver {

/// Streams: each token appends its event, the last one also what ends its own sequence (the usage chunk of chat).
class StreamFormat {
 public:
  virtual ~StreamFormat() = default;
  virtual void append(const TokenEvent& event, std::int64_t unix_seconds, SseBuffer& out) = 0;
};
std::unique_ptr<StreamFormat> make_stream_format(AnswerShape shape);

/// What ends the whole stream: [DONE] on OpenAI routes, nothing elsewhere.
void append_stream_end(Route route, SseBuffer& out);

/// An error inside a stream; its end is the caller's.
void append_stream_error(Route route, Dialect dialect, const Error& error, SseBuffer& out);

/// One sequence of an answer in one piece, while its tokens come in. Their JSON is made as they come, so that the
/// tokens themselves need not be kept.
class CollectedAnswer {
 public:
  explicit CollectedAnswer(AnswerShape shape);
  void add(const TokenEvent& event);

  const AnswerShape& shape() const { return shape_; }
  /// Without special tokens; with the prompt in front where it was asked for.
  std::string text() const;
  FinishReason finish() const { return finish_; }
  std::uint32_t tokens() const { return tokens_; }
  /// What best_of compares: the sum of the log-probs over their number, both as f32.
  float mean_logprob() const { return logprob_sum_ / static_cast<float>(tokens_); }
  /// Elements of the `tokens` and `top_tokens` arrays of `details`, or of `logprobs.content` of chat; empty if
  /// unwanted.
  const std::string& token_items() const { return token_items_; }
  const std::string& top_items() const { return top_items_; }

 private:
  AnswerShape shape_;
  std::string text_;
  std::string token_items_;
  std::string top_items_;
  float logprob_sum_ = 0;
  std::uint32_t tokens_ = 0;
  FinishReason finish_ = FinishReason::length;
};

/// The body of a whole answer. `parts` in the order they are shown: for best_of the winner and then the others, for
/// completions in the order they ended, for vertex as asked.
std::string make_whole_body(std::span<const CollectedAnswer* const> parts, std::int64_t unix_seconds);

/// "length", "eos_token" or "stop_sequence".
std::string_view native_label(FinishReason reason);
/// The same where OpenAI routes say "stop" for the end-of-sequence token.
std::string_view openai_label(FinishReason reason);

/// What `system_fingerprint` and /info call this server's version.
std::string_view version_of(Dialect dialect);

namespace format_detail {
std::unique_ptr<StreamFormat> make_chat_stream(AnswerShape shape);
std::unique_ptr<StreamFormat> make_completion_stream(AnswerShape shape);
std::string make_chat_body(const CollectedAnswer& answer, std::int64_t unix_seconds);
std::string make_completion_body(std::span<const CollectedAnswer* const> parts, std::int64_t unix_seconds);
/// {"token":..,"logprob":..,"top_logprobs":[..]}
void append_chat_logprob(const TokenEvent& event, std::string& out);
/// {"prompt_tokens":..,"completion_tokens":..,"total_tokens":..}
void append_usage(std::uint64_t prompt_tokens, std::uint64_t completion_tokens, std::string& out);
void append_number(std::uint64_t value, std::string& out);
/// The text of a token as its route shows it: TGI sends nothing for a character that was cut off at the end.
std::string_view shown_text(const TokenEvent& event, Dialect dialect);
}  // namespace format_detail

}  // namespace refserver
