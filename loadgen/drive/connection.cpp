#include "loadgen/drive/connection.hpp"

#include <utility>

#include "loadgen/drive/exchange.hpp"

namespace loadgen {

void Connection::get_near() const noexcept {
  __builtin_prefetch(transport_.get());
  if (exchange != nullptr) exchange->get_near();
}

void Connection::get_nearer() const noexcept {
  if (exchange != nullptr) exchange->get_nearer();
}

int Connection::update_interest(EventLoop& loop) noexcept {
  // Told once per arrival, the kernel need not look at each socket a second time in the turn after its read.
  constexpr std::uint32_t once_per_arrival = EPOLLIN | EPOLLRDHUP | EPOLLET;
  std::uint32_t wanted = EPOLLIN | transport_->wants();
  if (state_ == State::connecting) wanted = EPOLLOUT;
  if (state_ == State::open && has_unsent()) {
    wanted |= EPOLLOUT;
  } else if (state_ == State::open && transport_->is_emptied_by_short_reads()) {
    wanted = once_per_arrival;
  }
  if (wanted == interest_) return 0;
  const bool is_first = std::exchange(interest_, wanted) == 0;
  return is_first ? loop.watch(transport_->descriptor(), wanted, *this)
                  : loop.rewatch(transport_->descriptor(), wanted, *this);
}

int Connection::ask_again(EventLoop& loop) noexcept {
  if ((interest_ & EPOLLET) == 0) return 0;  // it is told anyway
  return loop.rewatch(transport_->descriptor(), interest_, *this);
}

int Connection::write(std::string_view bytes) {
  const Transport::Result result = transport_->write(bytes);
  if (result.error != 0) return result.error;
  if (result.bytes < bytes.size()) keep(bytes.substr(result.bytes));
  return 0;
}

int Connection::write_rest() {
  const Transport::Result result = transport_->write(std::string_view(unsent_).substr(unsent_at_));
  if (result.error != 0) return result.error;
  unsent_at_ += result.bytes;
  if (unsent_at_ == unsent_.size()) take_kept();  // seldom needed, so its memory is not kept
  return 0;
}

void Connection::close(EventLoop& loop) noexcept {
  if (interest_ != 0) loop.unwatch(transport_->descriptor());
  state_ = State::closed;
  exchange = nullptr;
  transport_.reset();
}

}  // namespace loadgen
