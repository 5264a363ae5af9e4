// The way out. The hot path is on_token -> take_token -> flush: format into a reused buffer, one stamp, one send.
#include "refserver/http/answer.hpp"

#include <algorithm>
#include <ctime>
#include <utility>

#include "refserver/api/server_answers.hpp"
#include "refserver/http/fault_run.hpp"

namespace refserver {
namespace {

/// What the engine's refusal is to the client.
Error error_of(const TokenEvent& event) {
  switch (event.failure_kind) {
    case FailureKind::overloaded:
      return {ErrorType::overloaded, "Model is overloaded"};
    case FailureKind::queue_timeout:
      return {ErrorType::queue_timeout, "Request timed out: " + event.failure};
    case FailureKind::generation:
      break;
  }
  return {ErrorType::generation, "Request failed during generation: " + event.failure};
}

}  // namespace

Answer::Answer(Service& service, Face& face, std::shared_ptr<SocketWriter::Socket> socket, RequestFacts facts,
               std::function<void()> on_done)
    : service_(service),
      face_(face),
      facts_(std::move(facts)),
      on_done_(std::move(on_done)),
      writer_(std::move(socket), service.options.write_timeout),
      route_(facts_.route),
      last_write_(facts_.received),
      out_(facts_.framing) {}

void Answer::give_up(std::size_t index, Error error) {
  if (!is_stream_) return refuse(error);
  fail(index, std::move(error));
  if (!writer_.is_waiting()) flush();
}

Answer::~Answer() {
  for (const Generation& sequence : sequences_) service_.receivers.erase(sequence.truth.id);
}

void Answer::on_token(std::size_t index, const TokenEvent& event) {
  Generation& sequence = sequences_[index];
  if (is_done_ || sequence.is_closed) return;
  if (!event.failure.empty()) return give_up(index, error_of(event));
  sequence.truth.add(event);
  if (!sequence.segments) return take_token(index, event);

  Segments& segments = *sequence.segments;
  TokenEvent counted = event;
  counted.index += segments.tokens_before;
  if (!event.token.is_special) segments.text += event.token.text;
  const bool goes_on = event.finish == FinishReason::length && counted.index < segments.total_new_tokens;
  if (goes_on) return continue_or_end(index, std::move(counted));
  take_token(index, counted);
}

void Answer::take_token(std::size_t index, const TokenEvent& event) {
  Generation& sequence = sequences_[index];
  if (event.finish) {
    sequence.ended = Clock::now();
    service_.receivers.erase(sequence.truth.id);
  }
  if (sequence.whole) {
    sequence.whole->add(event);
    if (!event.finish) return;
    sequence.unstamped = 1;
    ended_.push_back(index);
    close_sequence(sequence);
    sequence.permit.reset();
    if (open_ > 0) return;
    finish_whole();
  } else if (sequences_.size() == 1) {
    append_token(sequence, event);
    if (event.finish) end_stream();
  } else {
    sequence.waiting.push_back(event);
    take_turns();
    if (out_.bytes().empty()) return;
  }
  if (is_starting_ || is_gathering()) return;
  if (!writer_.is_waiting()) {
    flush();
  } else if (out_.bytes().size() > service_.options.stream_backlog_bytes) {
    abandon("slow_reader");
  }
}

std::int64_t Answer::unix_seconds() {
  return std::time(nullptr);
}

void Answer::append_event(Generation& sequence, const TokenEvent& event) {
  sequence.stream->append(event, unix_seconds(), out_);
  ++sequence.unstamped;
  ++gathered_;
}

void Answer::append_token(Generation& sequence, const TokenEvent& token) {
  if (chunking_ == nullptr || chunking_->tokens_per_event == 1) return append_or_spoil(sequence, token);
  TokenEvent event = token;
  if (!keeps_for_later(sequence, event)) append_or_spoil(sequence, event);
}

void Answer::append_or_spoil(Generation& sequence, const TokenEvent& event) {
  if (fault_ == nullptr) {
    append_event(sequence, event);
  } else if (!fault_->is_cut()) {
    append_faulty(sequence, event);
  }
  if (event.finish) close_sequence(sequence);
}

/// Strict round robin: one event of each sequence per turn, however far ahead the others are.
void Answer::take_turns() {
  while (open_ > 0) {
    Generation& sequence = sequences_[turn_];
    if (!sequence.is_closed) {
      if (!sequence.waiting.empty()) {
        append_token(sequence, sequence.waiting.front());
        sequence.waiting.pop_front();
      } else if (sequence.error) {
        append_stream_error(route_, service_.validator.limits().dialect, *sequence.error, out_);
        close_sequence(sequence);
      } else {
        return;
      }
    }
    turn_ = (turn_ + 1) % sequences_.size();
  }
  end_stream();
}

void Answer::close_sequence(Generation& sequence) {
  sequence.is_closed = true;
  --open_;
}

void Answer::end_stream() {
  if (fault_ != nullptr && fault_->is_cut()) return;
  append_stream_end(route_, out_);
  if (facts_.wants_truth) {
    owes_truth_ = true;
    return;
  }
  out_.finish();
  is_last_formatted_ = true;
}

void Answer::fail(std::size_t index, Error error) {
  Generation& sequence = sequences_[index];
  face_.count([&](ServerMetrics& m) { m.on_refused(error.type); });
  sequence.outcome = label(error.type);
  service_.receivers.erase(sequence.truth.id);
  sequence.error = std::move(error);
  take_turns();
}

void Answer::add_common_headers(ResponseHead& head) const {
  if (service_.validator.limits().dialect == Dialect::strict_tgi) return;
  if (facts_.client_id) head.header("x-request-id", *facts_.client_id);
}

void Answer::append_stream_head() {
  std::uint64_t characters = 0;
  for (const GenerateRequest& job : jobs_) characters += count_characters(job.inputs);
  ResponseHead head(200);
  head.header("content-type", "text/event-stream").header("cache-control", "no-cache");
  head.header("x-compute-type", service_.options.compute_type);
  head.header("x-compute-characters", characters);
  head.header("x-accel-buffering", "no");
  add_common_headers(head);
  if (facts_.framing == Framing::chunked) {
    head.header("transfer-encoding", "chunked");
  } else {
    facts_.persistence = Persistence::close;
  }
  out_.bytes() += std::move(head).finish(facts_.persistence, facts_.allow_origin);
}

/// The whole answer becomes this error.
void Answer::refuse(const Error& error) {
  face_.count([&](ServerMetrics& m) { m.on_refused(error.type); });
  drop_at_engine();
  for (Generation& sequence : sequences_) {
    sequence.outcome = label(error.type);
    sequence.unstamped = 0;
  }
  // Vertex says the same of every generation that fails.
  const bool is_hidden = route_ == Route::vertex && !jobs_.empty();
  const ErrorType type = is_hidden ? ErrorType::vertex_failed : error.type;
  const ErrorBody body = make_error_body({type, is_hidden ? "Incomplete generation" : error.text});
  ResponseHead head(http_status(type));
  head.header("content-type", body.content_type);
  add_common_headers(head);
  const bool is_strict = service_.validator.limits().dialect == Dialect::strict_tgi;
  const bool is_for_now = type == ErrorType::overloaded || type == ErrorType::queue_timeout;
  if (is_for_now && !is_strict) head.header("retry-after", std::uint64_t{1});
  head.header("content-length", body.body.size());
  out_.bytes() = std::move(head).finish(facts_.persistence, facts_.allow_origin) + body.body;
  is_last_formatted_ = true;
  if (!is_starting_) flush();
}

void Answer::flush() {
  if (holds_back()) return;
  last_write_ = Clock::now();
  for (Generation& sequence : sequences_) {
    sequence.truth.achieved.insert(sequence.truth.achieved.end(), sequence.unstamped, last_write_);
  }
  gathered_ = 0;
  const auto state = chunking_ != nullptr && is_stream_ ? write_pieces()
                                                        : writer_.flush(out_.bytes(), last_write_, shared_from_this());
  for (Generation& sequence : sequences_) {
    if (sequence.unstamped > 0) count_tokens(sequence, std::exchange(sequence.unstamped, 0));
  }
  if (state == SocketWriter::State::failed) return abandon("client_gone");
  if (state == SocketWriter::State::idle) on_all_written();
}

void Answer::on_all_written() {
  if (fault_ != nullptr && fault_->is_due()) return act_on_fault();
  if (owes_truth_) return end_with_truth();
  if (is_last_formatted_) finish();
}

void Answer::on_written() {
  if (is_done_ || is_held()) return;
  if (!out_.bytes().empty()) return flush();
  on_all_written();
}

void Answer::on_write_failed() {
  abandon("client_gone");
}

void Answer::drop_at_engine() {
  for (Generation& sequence : sequences_) {
    if (service_.receivers.erase(sequence.truth.id) > 0) service_.work.cancel(sequence.truth.id);
    sequence.waiting.clear();
    if (!sequence.is_closed) close_sequence(sequence);
  }
}

void Answer::abandon(std::string_view outcome) {
  if (is_done_) return;
  is_broken_ = true;
  drop_at_engine();
  for (Generation& sequence : sequences_) {
    if (sequence.outcome != "ok") continue;
    sequence.outcome = outcome;
    face_.count([](ServerMetrics& m) { m.on_dropped(); });
  }
  writer_.close();
  finish();
}

void Answer::on_tick(TimePoint now) {
  if (is_done_ || is_held()) return;
  if (writer_.is_waiting()) {
    if (writer_.is_overdue(now)) abandon("slow_reader");
  } else if (fault_ != nullptr && fault_->is_half_closed()) {
    if (now - last_write_ >= service_.options.write_timeout) abandon("fault");
  } else if (is_stream_ && now - last_write_ >= service_.options.keep_alive_interval) {
    out_.add_keep_alive();
    flush();
  }
}

}  // namespace refserver
