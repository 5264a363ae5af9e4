// The event rules of each wire protocol; see docs/metrics.md for the table they implement.
#include "loadgen/drive/answer.hpp"

#include <algorithm>

#include "loadgen/drive/spelled_prefix.hpp"
#include "loadgen/plan/pattern.hpp"
#include "tokenizer/tokenizer.hpp"

namespace loadgen {
namespace {

constexpr std::size_t kept_text_bytes = 1 << 20;  ///< an expectation or a count looks at no more

std::string_view trimmed(std::string_view s) noexcept {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

bool is_blank(std::string_view text) noexcept {
  return text.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos;
}

/// Servers repeat what they were sent: no word of a header's value may get into results that way. Words of less than
/// six characters are no secrets.
void mask_headers(std::string& text, const Headers& headers) {
  constexpr std::size_t shortest = 6;
  for (const auto& [name, value] : headers) {
    std::string_view rest = value;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(' '), rest.size());
      const std::string_view word = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (word.size() < shortest) continue;
      for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 3))
        text.replace(at, word.size(), "***");
    }
  }
}

Outcome status_outcome(int status) noexcept {
  if (status == 429 || status == 503) return Outcome::overloaded;
  return status >= 500 ? Outcome::http_5xx : status >= 400 ? Outcome::http_4xx : Outcome::malformed;
}

}  // namespace

void AnswerReader::start(const MixEntry& entry, RequestRecord& record) {
  entry_ = &entry;
  endpoint_ = entry.endpoint.get();
  record_ = &record;
  const bool is_openai = entry.route == Route::openai_chat || entry.route == Route::openai_completions;
  wire_ = is_openai ? Wire::openai : entry.route == Route::custom ? Wire::custom : Wire::tgi;
  fields_.clear();
  done_ = final_ = failed_ = whole_read_ = continuous_usage_ = has_other_output_ = false;
  counts_text_ = entry.vocabulary != nullptr && !(wire_ == Wire::tgi && record.streamed);  // one token an event
  keeps_text_ = counts_text_ || entry.expect.needs_text();
  usage_so_far_ = 0;
  longest_text_ = old_text_ = echo_bytes_ = 0;
  saw_text_ = false;
  last_index_.reset();
  usage_.reset();
  text_.clear();
  model_.clear();
}

bool AnswerReader::read_fields(std::string_view json) {
  if (endpoint_ == nullptr) return read_answer_fields(json, fields_);
  return read_answer_fields(json, endpoint_->paths, endpoint_->end_value, fields_);
}

bool AnswerReader::on_event(std::string_view data, std::int64_t at_ns) {
  if (failed_ || done_) return false;
  if (is_end_data(data)) {
    end_here(at_ns);
    return false;
  }
  if (!read_fields(data)) {
    failed_ = true;
    record_->outcome = Outcome::malformed;
    record_->error = "an event is not a JSON object: " + excerpt(data);
    return false;
  }
  if (fields_.has_error) {
    note_error();
    return false;
  }
  note_old_text();
  if (is_token_event()) {
    if (record_->stamps.first_output == 0 && brings_output()) record_->stamps.first_output = at_ns;
    on_token_event(at_ns, tokens_in_event());
  }
  note_facts();
  final_ = final_ || fields_.has_generated_text || !fields_.finish_reason.empty();
  if (!fields_.ends) return true;
  end_here(at_ns);
  return false;
}

bool AnswerReader::is_end_data(std::string_view data) const noexcept {
  const std::string_view end = endpoint_ == nullptr ? std::string_view("[DONE]") : endpoint_->end_data;
  return !end.empty() && trimmed(data) == end;
}

void AnswerReader::end_here(std::int64_t at_ns) noexcept {
  done_ = final_ = true;
  record_->stamps.end = at_ns;
}

void AnswerReader::note_facts() {
  if (fields_.generated_tokens) usage_ = fields_.generated_tokens;
  if (fields_.prompt_tokens) record_->input_tokens = fields_.prompt_tokens;
  if (!fields_.finish_reason.empty()) record_->finish_reason = fields_.finish_reason;
  if (keeps_text_) keep_text();
  has_other_output_ = has_other_output_ || fields_.has_reasoning || fields_.has_call;
  if (!entry_->expect.model.empty() && model_.empty()) model_ = unescaped(fields_.model);
}

/// TGI's last event has the whole text, and so has each event of an endpoint whose text grows.
void AnswerReader::keep_text() {
  const bool is_whole = fields_.generated_text.data() != nullptr;
  const std::string_view part = is_whole ? fields_.generated_text : fields_.text;
  if (is_whole || (endpoint_ != nullptr && endpoint_->text_grows && !part.empty())) text_.clear();
  text_.append(part.substr(0, kept_text_bytes - text_.size()));
}

/// The finish chunk of some servers holds the final usage: no token, unless the counts were running all along.
bool AnswerReader::says_end() const noexcept {
  return fields_.ends || !fields_.finish_reason.empty();
}

bool AnswerReader::may_repeat_prompt(const MixEntry& entry) noexcept {
  return entry.endpoint != nullptr &&
         (entry.endpoint->text_grows || entry.vocabulary != nullptr || entry.expect.needs_text());
}

/// How much of an event's text is not new: all before it, where each event repeats that, and the prompt, where the
/// first one has it.
void AnswerReader::note_old_text() noexcept {
  if (endpoint_ == nullptr) return;
  old_text_ = endpoint_->text_grows ? longest_text_ : 0;
  if (saw_text_ || fields_.text.empty()) return;
  saw_text_ = true;
  old_text_ = echo_bytes_ = spelled_prefix(fields_.text, record_->prompt);
}

/// Something for the reader: neither a thought nor a count alone, which may be that of a thought.
bool AnswerReader::brings_output() const noexcept {
  if (wire_ == Wire::tgi || fields_.has_call) return true;
  return endpoint_ != nullptr ? fields_.text.size() > old_text_ : fields_.has_text;
}

bool AnswerReader::is_token_event() const noexcept {
  if (wire_ == Wire::tgi) return fields_.has_token;
  if (wire_ == Wire::openai && fields_.choices == 0) return false;
  if (brings_output() || fields_.has_reasoning) return true;
  const bool usage_grew = fields_.generated_tokens && *fields_.generated_tokens > usage_so_far_;
  return usage_grew && (continuous_usage_ || !says_end());
}

std::uint32_t AnswerReader::tokens_in_event() {
  longest_text_ = std::max(longest_text_, fields_.text.size());
  if (wire_ == Wire::tgi || (endpoint_ != nullptr && endpoint_->one_token_each)) return 1;
  if (!fields_.generated_tokens) return 0;                                     // unknown until the final usage says so
  if (says_end() && !continuous_usage_ && !record_->events.empty()) return 0;  // which this is
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
  record_->error_type = excerpt(fields_.error_type);
  const bool overloaded = fields_.error_type == "overloaded" || fields_.error == "Model is overloaded";
  record_->outcome = !record_->events.empty() ? Outcome::stream_error_partial
                     : overloaded             ? Outcome::overloaded
                                              : Outcome::stream_error;
}

void AnswerReader::on_whole_body(std::string_view body) {
  whole_read_ = true;
  if (!read_fields(body)) {
    failed_ = true;
    record_->outcome = Outcome::malformed;
    record_->error = "the body is not a JSON object: " + excerpt(body);
    return;
  }
  if (fields_.has_error) {
    note_error();
    return;
  }
  note_old_text();
  note_facts();
  final_ = wire_ == Wire::custom ? fields_.text.data() != nullptr : fields_.has_generated_text || fields_.choices > 0;
}

void AnswerReader::on_error_body(std::string_view body, int status) {
  failed_ = true;
  record_->outcome = status_outcome(status);
  if ((read_fields(body) && fields_.has_error) || (read_answer_fields(body, fields_) && fields_.has_error)) {
    record_->error = excerpt(fields_.error);
    record_->error_type = excerpt(fields_.error_type);
  } else {
    record_->error = body.empty() ? "HTTP " + std::to_string(status) : excerpt(body);
    if (status == 404 || status == 405) record_->error = no_such_route(record_->error);
  }
}

/// A server that does not know the path seldom says which one that was.
std::string AnswerReader::no_such_route(const std::string& said) const {
  const std::string_view way = endpoint_ != nullptr ? std::string_view(endpoint_->name) : label(entry_->route);
  return excerpt("no " + std::string(way) + " at " + entry_->target.url + ": " + said);
}

void AnswerReader::finish_complete(std::int64_t at_ns) {
  if (record_->stamps.end == 0) record_->stamps.end = at_ns;
  if (!failed_) record_->streamed ? settle_stream() : settle_whole();
  if (record_->outcome == Outcome::ok) check_expectation();
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
  // An endpoint without any word for the end ends with its body.
  if (endpoint_ != nullptr && endpoint_->end_data.empty() && !endpoint_->paths.has(Field::end) &&
      !endpoint_->paths.has(Field::finish_reason)) {
    final_ = true;
  }
  // One that has a word for it is not at its end before.
  if (endpoint_ != nullptr && !done_ && (!endpoint_->end_data.empty() || endpoint_->paths.has(Field::end))) {
    final_ = false;
  }
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
    record_->error = wire_ == Wire::custom ? "the body has no text at the endpoint's place for it"
                                           : "the body has neither generated_text nor choices";
    return;
  }
  const bool empty = usage_ ? *usage_ == 0 : wire_ == Wire::tgi ? fields_.generated_text_empty : !brings_output();
  record_->outcome = empty ? Outcome::empty_output : Outcome::ok;
  if (empty) record_->error = "the answer has no token";
}

void AnswerReader::settle_token_counts() {
  auto& events = record_->events;
  if (usage_) {
    record_->output_tokens = *usage_;
    record_->token_source = TokenSource::server_usage;
  } else if (!events.empty() && counts_by_stream()) {
    record_->output_tokens = 0;
    for (const TokenEvent& event : events) record_->output_tokens += event.tokens;
    record_->token_source = TokenSource::server_stream;
  } else if (counts_by_text()) {
    constexpr tokenizer::EncodeOptions plain{tokenizer::SpecialTokens::omit, tokenizer::TokenText::plain};
    record_->output_tokens = static_cast<std::uint32_t>(entry_->vocabulary->count(answer_text(), plain));
    record_->token_source = TokenSource::tokenizer;
  } else if (!events.empty()) {
    record_->output_tokens = static_cast<std::uint32_t>(events.size());
    record_->token_source = TokenSource::chunks;
  }
  // Each event brings at least one token: as many tokens as events means one each.
  const bool is_total =
      record_->token_source == TokenSource::server_usage || record_->token_source == TokenSource::tokenizer;
  if (wire_ != Wire::tgi && !continuous_usage_ && is_total && record_->output_tokens == events.size()) {
    for (TokenEvent& event : events) event.tokens = 1;
  }
}

/// Every event said how many tokens it has.
bool AnswerReader::counts_by_stream() const noexcept {
  return wire_ == Wire::tgi || continuous_usage_ || (endpoint_ != nullptr && endpoint_->one_token_each);
}

/// Once for the whole text: tokens of parts do not add up to those of the whole.
bool AnswerReader::counts_by_text() const noexcept {
  // Text that grows begins with the prompt, as a rule, whose tokens are not the answer's.
  const bool may_hold_prompt = endpoint_ != nullptr && endpoint_->text_grows && echo_bytes_ == 0;
  return counts_text_ && text_.size() > echo_bytes_ && text_.size() < kept_text_bytes && !has_other_output_ &&
         !may_hold_prompt;
}

/// What was kept of it, in plain text and without the prompt, if that was repeated.
std::string AnswerReader::answer_text() const {
  return unescaped(std::string_view(text_).substr(std::min(echo_bytes_, text_.size())));
}

void AnswerReader::check_expectation() {
  if (entry_->expect.is_any()) return;
  std::string broken = broken_expectation();
  if (broken.empty()) return;
  record_->outcome = Outcome::bad_content;
  record_->error = std::move(broken);
}

/// What is not as expected; the text itself is not repeated, so that one mistake stays one kind of error.
std::string AnswerReader::broken_expectation() const {
  const Expectation& expect = entry_->expect;
  const auto& reasons = expect.finish_reasons;
  if (!reasons.empty() && std::find(reasons.begin(), reasons.end(), record_->finish_reason) == reasons.end())
    return "the finish reason is '" + excerpt(record_->finish_reason) + "', which is not one of those expected";
  if (!expect.model.empty() && model_ != expect.model) {
    return model_.empty() ? "the answer does not say which model it is from"
                          : "the answer is from the model '" + excerpt(model_) + "', not from the expected one";
  }
  if (!expect.needs_text()) return {};
  const std::string text = answer_text();
  if (expect.not_empty && is_blank(text)) return "the text is blank";
  if (!expect.matches) return {};
  switch (expect.matches->find_in(text)) {
    case Pattern::Found::yes:
      return {};
    case Pattern::Found::no:
      return "the text does not match the expected pattern";
    case Pattern::Found::gave_up:
      break;
  }
  return "the expected pattern gave up on the text at its limit of steps";
}

/// The start of a text on one line, without what headers hold, for error messages.
std::string AnswerReader::excerpt(std::string_view text) const {
  constexpr std::size_t shown = 160;
  std::string line(text.substr(0, 64 * 1024));
  mask_headers(line, entry_->headers);
  if (line.size() > shown) line.resize(shown);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return line;
}

}  // namespace loadgen
