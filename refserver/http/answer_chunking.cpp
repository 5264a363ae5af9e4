// Cutting a stream differently on purpose: events of several tokens, writes of several events, events in pieces.
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "refserver/http/answer.hpp"
#include "refserver/http/fault_run.hpp"

namespace refserver {

/// What a client asked for wins over what all get. Whole answers have nothing to cut.
void Answer::begin_chunking() {
  const std::optional<Chunking>& wanted = facts_.chunking ? facts_.chunking : service_.options.chunking;
  if (!wanted || *wanted == Chunking{}) return;
  chunking_ = std::make_unique<Chunking>(*wanted);
  if (chunking_->comment_every) {
    comment_timer_ = std::make_unique<boost::asio::steady_timer>(writer_.executor());
    wait_for_comment();
  }
}

/// True if the token is kept until its event is full; otherwise `event` has become that event.
bool Answer::keeps_for_later(Generation& sequence, TokenEvent& event) const {
  if (sequence.kept == nullptr) {
    sequence.kept = std::make_unique<TokenEvent>(event);
  } else {
    merge_token(*sequence.kept, event);
  }
  if (++sequence.kept_tokens < chunking_->tokens_per_event && !event.finish) return true;
  event = std::move(*std::exchange(sequence.kept, nullptr));
  // The last of them is counted where the event is formatted.
  sequence.unstamped += std::exchange(sequence.kept_tokens, 0) - 1;
  return false;
}

/// True if what is formatted waits for further events.
bool Answer::is_gathering() const {
  if (chunking_ == nullptr || is_last_formatted_ || owes_truth_) return false;
  if (fault_ != nullptr && fault_->is_due()) return false;
  return out_.bytes().empty() || gathered_ < chunking_->events_per_write;
}

SocketWriter::State Answer::write_pieces() {
  std::string all;
  all.swap(out_.bytes());
  std::size_t from = 0;
  for (const std::size_t end : piece_ends(all, *chunking_)) {
    std::string piece = all.substr(from, end - from);
    from = end;
    const auto state = writer_.flush(piece, last_write_, shared_from_this());
    if (state == SocketWriter::State::idle) continue;
    out_.bytes() = all.substr(from);
    return state;
  }
  return SocketWriter::State::idle;
}

void Answer::wait_for_comment() {
  comment_timer_->expires_after(*chunking_->comment_every);
  comment_timer_->async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
    if (ec || self->is_done_ || self->is_last_formatted_ || self->owes_truth_) return;
    self->out_.add_keep_alive();
    if (!self->writer_.is_waiting()) self->flush();
    if (!self->is_done_) self->wait_for_comment();
  });
}

}  // namespace refserver
