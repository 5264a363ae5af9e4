// How tokens become bytes, one format per route. Knows TGI's JSON byte for byte; knows no socket, clock or header.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "refserver/api/sse_buffer.hpp"
#include "refserver/api/token_event.hpp"
#include "refserver/api/valid_request.hpp"
#include "refserver/error.hpp"

namespace refserver {

/// Streams: each token appends its event, the last one also what ends the stream for the client ([DONE], usage).
class StreamFormat {
 public:
  virtual ~StreamFormat() = default;
  virtual void append(const TokenEvent& event, std::int64_t unix_seconds, SseBuffer& out) = 0;
};
std::unique_ptr<StreamFormat> make_stream_format(AnswerShape shape);

/// An error inside a stream, with the terminator of its route.
void append_stream_error(Route route, const Error& error, SseBuffer& out);

/// Answers in one piece: tokens are collected, the body is made once at the end.
class WholeFormat {
 public:
  virtual ~WholeFormat() = default;
  virtual void add(const TokenEvent& event) = 0;
  /// After the token with a finish reason.
  virtual std::string body(std::int64_t unix_seconds) const = 0;
};
std::unique_ptr<WholeFormat> make_whole_format(AnswerShape shape);

/// "length", "eos_token" or "stop_sequence".
std::string_view native_label(FinishReason reason);
/// The same where OpenAI routes say "stop" for the end-of-sequence token.
std::string_view openai_label(FinishReason reason);

/// `system_fingerprint` of OpenAI answers and `version` of /info.
inline constexpr std::string_view kVersion = "3.3.7-plumbline";

namespace format_detail {
std::unique_ptr<StreamFormat> make_chat_stream(AnswerShape shape);
std::unique_ptr<StreamFormat> make_completion_stream(AnswerShape shape);
std::unique_ptr<WholeFormat> make_chat_whole(AnswerShape shape);
std::unique_ptr<WholeFormat> make_completion_whole(AnswerShape shape);
/// {"prompt_tokens":..,"completion_tokens":..,"total_tokens":..}
void append_usage(std::uint32_t prompt_tokens, std::uint32_t completion_tokens, std::string& out);
void append_number(std::uint64_t value, std::string& out);
}  // namespace format_detail

}  // namespace refserver
