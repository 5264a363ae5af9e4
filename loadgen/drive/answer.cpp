// The event rules of each wire protocol; see docs/metrics.md for the table they implement.
#include "loadgen/drive/answer.hpp"

namespace loadgen {
namespace {

bool is_openai(Route route) noexcept {
  return route == Route::openai_chat || route == Route::openai_completions;
}

std::string_view trimmed(std::string_view s) noexcept {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

/// The start of a text on one line, for error messages.
std::string excerpt(std::string_view text) {
  std::string line(text.substr(0, 160));
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return line;
}

Outcome status_outcome(int status) noexcept {
  if (status == 429 || status == 503) return Outcome::overloaded;
  return status >= 500 ? Outcome::http_5xx : status >= 400 ? Outcome::http_4xx : Outcome::malformed;
}

}  // namespace

void AnswerReader::start(const MixEntry& entry, RequestRecord& record) {
  entry_ = &entry;
  record_ = &record;
  fields_.clear();
  done_ = final_ = failed_ = whole_read_ = continuous_usage_ = false;
  usage_so_far_ = 0;
  last_index_.reset();
  usage_.reset();
}

bool AnswerReader::on_event(std::string_view data, std::int64_t at_ns) {
  if (failed_ || done_) return false;
  if (trimmed(data) == "[DONE]") {
    done_ = final_ = true;
    record_->stamps.end = at_ns;
    return false;
  }
  if (!read_answer_fields(data, fields_)) {
    failed_ = true;
    record_->outcome = Outcome::malformed;
    record_->error = "an event is not a JSON object: " + excerpt(data);
    return false;
  }
  if (fields_.has_error) {
    note_error();
    return false;
  }
  const bool usage_grew = fields_.generated_tokens && *fields_.generated_tokens > usage_so_far_ && fields_.choices > 0;
  if (is_token_event() || (is_openai(entry_->route) && usage_grew)) on_token_event(at_ns, tokens_in_event());
  if (fields_.generated_tokens) usage_ = fields_.generated_tokens;
  if (fields_.prompt_tokens) record_->input_tokens = fields_.prompt_tokens;
  if (!fields_.finish_reason.empty()) record_->finish_reason = fields_.finish_reason;
  final_ = final_ || fields_.has_generated_text || !fields_.finish_reason.empty();
  return true;
}

bool AnswerReader::is_token_event() const noexcept {
  if (!is_openai(entry_->route)) return fields_.has_token;
  return fields_.choices > 0 && (fields_.has_text || fields_.has_reasoning || fields_.has_call);
}

std::uint32_t AnswerReader::tokens_in_event() {
  if (!is_openai(entry_->route)) return 1;  // TGI sends one token per event
  if (!fields_.generated_tokens) return 0;  // unknown until the final usage says so
  continuous_usage_ = true;
  const std::uint32_t tokens = *fields_.generated_tokens - std::min(usage_so_far_, *fields_.generated_tokens);
  usage_so_far_ = *fields_.generated_tokens;
  return tokens;
}

void AnswerReader::on_token_event(std::int64_t at_ns, std::uint32_t tokens) {
  if (record_->events.empty()) record_->stamps.first_token = at_ns;
  record_->stamps.last_token = at_ns;
  record_->events.push_back({at_ns, tokens});
  if (fields_.index && last_index_ && *fields_.index != *last_index_ + 1) ++record_->index_breaks;
  last_index_ = fields_.index;
}

void AnswerReader::note_error() {
  failed_ = true;
  record_->error = fields_.error.empty() ? "the server sent an error without a message" : excerpt(fields_.error);
  record_->error_type = fields_.error_type;
  const bool overloaded = fields_.error_type == "overloaded" || fields_.error == "Model is overloaded";
  record_->outcome = !record_->events.empty() ? Outcome::stream_error_partial
                     : overloaded             ? Outcome::overloaded
                                              : Outcome::stream_error;
}

void AnswerReader::on_whole_body(std::string_view body) {
  whole_read_ = true;
  if (!read_answer_fields(body, fields_)) {
    failed_ = true;
    record_->outcome = Outcome::malformed;
    record_->error = "the body is not a JSON object: " + excerpt(body);
    return;
  }
  if (fields_.has_error) {
    note_error();
    return;
  }
  if (fields_.generated_tokens) usage_ = fields_.generated_tokens;
  if (fields_.prompt_tokens) record_->input_tokens = fields_.prompt_tokens;
  record_->finish_reason = fields_.finish_reason;
  final_ = fields_.has_generated_text || fields_.choices > 0;
}

void AnswerReader::on_error_body(std::string_view body, int status) {
  failed_ = true;
  record_->outcome = status_outcome(status);
  if (read_answer_fields(body, fields_) && fields_.has_error) {
    record_->error = excerpt(fields_.error);
    record_->error_type = fields_.error_type;
  } else {
    record_->error = body.empty() ? "HTTP " + std::to_string(status) : excerpt(body);
  }
}

void AnswerReader::finish_complete(std::int64_t at_ns) {
  if (record_->stamps.end == 0) record_->stamps.end = at_ns;
  if (!failed_) record_->streamed ? settle_stream() : settle_whole();
  settle_token_counts();
}

void AnswerReader::finish_cut(Outcome outcome, std::string why, std::int64_t at_ns) {
  if (done_ && !failed_) return finish_complete(at_ns);  // the answer was whole; only the connection ended badly
  if (record_->stamps.end == 0) record_->stamps.end = at_ns;
  if (!failed_) {
    failed_ = true;
    record_->outcome = outcome;
    record_->error = std::move(why);
  }
  settle_token_counts();
}

void AnswerReader::settle_stream() {
  if (record_->events.empty()) {
    record_->outcome = final_ || done_ ? Outcome::empty_output : Outcome::truncated;
    record_->error = final_ || done_ ? "the stream ended without a token" : "the stream ended before anything was said";
  } else if (!final_) {
    record_->outcome = Outcome::truncated;
    record_->error = "the stream ended without a final event";
  } else {
    record_->outcome = Outcome::ok;
  }
}

void AnswerReader::settle_whole() {
  if (!whole_read_ || !final_) {
    record_->outcome = Outcome::malformed;
    record_->error = "the body has neither generated_text nor choices";
    return;
  }
  const bool empty = usage_                      ? *usage_ == 0
                     : !is_openai(entry_->route) ? fields_.generated_text_empty
                                                 : !fields_.has_text;
  record_->outcome = empty ? Outcome::empty_output : Outcome::ok;
  if (empty) record_->error = "the answer has no token";
}

void AnswerReader::settle_token_counts() {
  auto& events = record_->events;
  if (usage_) {
    record_->output_tokens = *usage_;
    record_->token_source = TokenSource::server_usage;
  } else if (!events.empty()) {
    std::uint32_t known = 0;
    for (const TokenEvent& event : events) known += event.tokens;
    const bool streamed_counts = !is_openai(entry_->route) || continuous_usage_;
    record_->output_tokens = streamed_counts ? known : static_cast<std::uint32_t>(events.size());
    record_->token_source = streamed_counts ? TokenSource::server_stream : TokenSource::chunks;
  }
  // Each event brings at least one token: as many tokens as events means one each.
  if (is_openai(entry_->route) && !continuous_usage_ && usage_ && *usage_ == events.size()) {
    for (TokenEvent& event : events) event.tokens = 1;
  }
}

}  // namespace loadgen
