// Reads one answer as its route means it: which events are tokens, how many tokens each brought, how it ended.
// Fed with event data or a whole body and the stamp of the read; fills the request's record. No I/O.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "loadgen/drive/answer_fields.hpp"
#include "loadgen/drive/request_record.hpp"
#include "loadgen/plan/endpoint_template.hpp"
#include "loadgen/plan/scenario.hpp"

namespace loadgen {

class AnswerReader {
 public:
  /// Whether an answer to `entry` may begin with the prompt and it matters where that ends: then the record needs it.
  static bool may_repeat_prompt(const MixEntry& entry) noexcept;

  /// Makes ready for a request of `entry`; `record` outlives the answer.
  void start(const MixEntry& entry, RequestRecord& record);

  /// One event of a stream, read at `at_ns`. False once nothing more can be expected (error, [DONE]).
  bool on_event(std::string_view data, std::int64_t at_ns);

  /// A whole body of a successful, unstreamed answer.
  void on_whole_body(std::string_view body);

  /// The body of an answer with an error status: the server's words, if it has any.
  void on_error_body(std::string_view body, int status);

  /// The response is complete (or cut, with `outcome` saying how): settles counts and the outcome.
  void finish_complete(std::int64_t at_ns);
  void finish_cut(Outcome outcome, std::string why, std::int64_t at_ns);

  /// [DONE], or what an endpoint has instead, was seen: the answer ended there, whatever the connection still delivers.
  bool is_done() const noexcept { return done_; }

 private:
  enum class Wire : std::uint8_t { tgi, openai, custom };

  bool read_fields(std::string_view json);
  void on_token_event(std::int64_t at_ns, std::uint32_t tokens);
  std::uint32_t tokens_in_event();
  bool is_token_event() const noexcept;
  void note_old_text() noexcept;
  bool brings_output() const noexcept;
  bool is_end_data(std::string_view data) const noexcept;
  bool says_end() const noexcept;
  void end_here(std::int64_t at_ns) noexcept;
  void note_facts();
  void keep_text();
  void note_error();
  void settle_stream();
  void settle_whole();
  void settle_token_counts();
  bool counts_by_stream() const noexcept;
  bool counts_by_text() const noexcept;
  std::string answer_text() const;
  void check_expectation();
  std::string broken_expectation() const;
  std::string no_such_route(const std::string& said) const;
  std::string excerpt(std::string_view text) const;

  const MixEntry* entry_ = nullptr;
  const EndpointTemplate* endpoint_ = nullptr;  ///< of a custom wire
  RequestRecord* record_ = nullptr;
  AnswerFields fields_;
  Wire wire_ = Wire::tgi;
  bool done_ = false;    ///< [DONE], or what an endpoint says instead
  bool final_ = false;   ///< generated_text or a finish reason: the answer is whole
  bool failed_ = false;  ///< error event or unreadable event
  bool whole_read_ = false;
  bool keeps_text_ = false;
  bool counts_text_ = false;       ///< should the server not count
  bool has_other_output_ = false;  ///< reasoning or calls, which `text_` does not hold
  std::uint32_t usage_so_far_ = 0;
  std::size_t longest_text_ = 0;  ///< of an endpoint whose events repeat the text so far
  std::size_t old_text_ = 0;      ///< how much of the event's text is not new
  std::size_t echo_bytes_ = 0;    ///< of an endpoint's text: how much of it is the prompt, as it is spelled there
  bool saw_text_ = false;
  std::optional<std::uint32_t> last_index_;  ///< of the token event before
  bool continuous_usage_ = false;
  std::optional<std::uint32_t> usage_;
  std::string text_;   ///< of the answer, escapes and all; only where an expectation or a count needs it
  std::string model_;  ///< who answered; the same
};

}  // namespace loadgen
