// Doing what a fault rule says: to the whole answer, to one event, or to the connection behind one.
#include <algorithm>
#include <utility>

#include "refserver/api/server_answers.hpp"
#include "refserver/http/answer.hpp"
#include "refserver/http/fault_run.hpp"

namespace refserver {

/// True if the fault took the place of the answer.
bool Answer::begin_fault() {
  if (service_.faults == nullptr) return false;
  const std::string& model = service_.models[jobs_.front().model_index].name;
  const FaultRule* const rule =
      service_.faults->pick({service_.last_id + 1, model, label(facts_.route), facts_.draw_key, jobs_.front().stream});
  if (rule == nullptr) return false;
  fault_ = std::make_unique<FaultRun>(*rule, writer_.executor());
  switch (rule->kind) {
    case FaultKind::status_429:
    case FaultKind::status_503:
      add_sequence(0);
      sequences_.back().truth.model = model;
      answer_with_status(rule->kind == FaultKind::status_429 ? 429 : 503, rule->retry_after_s);
      return true;
    case FaultKind::reset_before_answer:
      add_sequence(0);
      sequences_.back().truth.model = model;
      reset_by_fault();
      return true;
    case FaultKind::stall:
      if (rule->token == 0) hold_by_fault();
      return false;
    default:
      return false;
  }
}

void Answer::answer_with_status(int status, std::uint32_t retry_after_s) {
  fault_->set_done();
  face_.count([](ServerMetrics& m) { m.on_refused(ErrorType::overloaded); });
  sequences_.back().outcome = "fault";
  const std::string body = status == 429 ? make_error_body({ErrorType::overloaded, "Model is overloaded"}).body
                                         : R"({"error":"Service unavailable","error_type":"unavailable"})";
  ResponseHead head(status);
  head.header("content-type", "application/json").header("retry-after", std::uint64_t{retry_after_s});
  add_common_headers(head);
  head.header("content-length", body.size());
  out_.bytes() = std::move(head).finish(facts_.persistence, facts_.allow_origin) + body;
  is_last_formatted_ = true;
  flush();
}

/// A token's event, as the rule wants it where it is that token's turn.
void Answer::append_faulty(Generation& sequence, const TokenEvent& event) {
  std::string& bytes = out_.bytes();
  const std::size_t start = bytes.size();
  const bool is_turn = fault_->is_tokens_turn();
  const FaultKind kind = fault_->rule().kind;
  if (is_turn && kind == FaultKind::missing_token) return fault_->set_done();
  append_event(sequence, event);
  if (!is_turn) return;
  switch (kind) {
    case FaultKind::doubled_token:
      sequence.stream->append(event, unix_seconds(), out_);
      return fault_->set_done();
    case FaultKind::malformed_event:
      bytes[bytes.rfind('}')] = '!';
      return fault_->set_done();
    case FaultKind::reset_inside_event:
      bytes.resize(start + (bytes.size() - start) / 2);
      return fault_->set_due();
    case FaultKind::reset_after_token:
    case FaultKind::half_close:
    case FaultKind::stall:
      return fault_->set_due();
    default:
      return;
  }
}

bool Answer::is_held() const {
  return fault_ != nullptr && fault_->is_held();
}

/// Before a write: true if it is not to be made now.
bool Answer::holds_back() {
  if (fault_ == nullptr) return false;
  if (fault_->is_held() || fault_->is_half_closed()) return true;
  if (fault_->rule().kind != FaultKind::slow_head || fault_->was_done()) return false;
  const std::size_t end = out_.bytes().find("\r\n\r\n") + 4;
  std::string head = out_.bytes().substr(0, end);
  out_.bytes().erase(0, end);
  const auto self = shared_from_this();
  fault_->drip(
      std::move(head),
      [self](std::string byte) {
        if (self->writer_.is_waiting()) return self->abandon("slow_reader");
        if (self->writer_.flush(byte, Clock::now(), self) == SocketWriter::State::failed) self->abandon("client_gone");
      },
      [self] { self->go_on(); });
  return true;
}

/// After a write that took everything: what the rule wants then.
void Answer::act_on_fault() {
  switch (fault_->rule().kind) {
    case FaultKind::stall:
      return hold_by_fault();
    case FaultKind::half_close:
      fault_->set_done();
      fault_->set_half_closed();
      drop_at_engine();
      for (Generation& sequence : sequences_) sequence.outcome = "fault";
      return writer_.finish_sending();  // the client's leaving, or silence, ends the answer
    default:
      return reset_by_fault();
  }
}

void Answer::hold_by_fault() {
  fault_->hold([self = shared_from_this()] { self->go_on(); });
}

void Answer::reset_by_fault() {
  fault_->set_done();
  is_broken_ = true;
  drop_at_engine();
  for (Generation& sequence : sequences_) sequence.outcome = "fault";
  writer_.reset();
  finish();
}

/// Whatever gathered while nothing could be written.
void Answer::go_on() {
  if (!is_done_ && !writer_.is_waiting() && !out_.bytes().empty()) flush();
}

}  // namespace refserver
