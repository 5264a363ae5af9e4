// One fault being done to one answer: which token's turn it is, what is held back, the timer. Writes nothing itself.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "refserver/api/fault_plan.hpp"

namespace refserver {

class FaultRun {
 public:
  FaultRun(const FaultRule& rule, const boost::asio::any_io_executor& executor) : rule_(rule), timer_(executor) {}

  const FaultRule& rule() const { return rule_; }
  /// Counts tokens; true for the one the rule names.
  bool is_tokens_turn() { return ++tokens_ == rule_.token; }

  /// It was done, to be told in the truth log; a rule for token 9 of an answer of 3 never is.
  void set_done() { was_done_ = true; }
  bool was_done() const { return was_done_; }

  /// What was formatted last is the last to be written; then comes what the rule says.
  void set_due() { is_due_ = true; }
  bool is_due() const { return is_due_; }
  /// Nothing of the answer may be formatted any more.
  bool is_cut() const { return (is_due_ || is_half_closed_) && rule_.kind != FaultKind::stall; }

  /// Nothing may be written until `go_on` is called, after the rule's time.
  void hold(std::function<void()> go_on) {
    is_due_ = false;
    is_held_ = true;
    set_done();
    wait([this, go_on = std::move(go_on)] {
      is_held_ = false;
      go_on();
    });
  }
  bool is_held() const { return is_held_; }

  /// A head that is to leave byte by byte. `send` gets one at a time; after the last one, `go_on` is called.
  void drip(std::string head, std::function<void(std::string)> send, std::function<void()> go_on) {
    head_ = std::move(head);
    is_held_ = true;
    set_done();
    drip_next(std::move(send), std::move(go_on));
  }

  void set_half_closed() {
    is_due_ = false;
    is_half_closed_ = true;
  }
  bool is_half_closed() const { return is_half_closed_; }

  /// The answer is over.
  void stop() { timer_.cancel(); }

 private:
  /// `then` must keep alive whatever owns this.
  void wait(std::function<void()> then) {
    timer_.expires_after(rule_.time);
    timer_.async_wait([then = std::move(then)](const boost::system::error_code& ec) {
      if (!ec) then();
    });
  }
  void drip_next(std::function<void(std::string)> send, std::function<void()> go_on) {
    send(std::string(1, head_[sent_++]));
    wait([this, send = std::move(send), go_on = std::move(go_on)]() mutable {
      if (sent_ < head_.size()) return drip_next(std::move(send), std::move(go_on));
      is_held_ = false;
      go_on();
    });
  }

  const FaultRule& rule_;
  boost::asio::steady_timer timer_;
  std::uint32_t tokens_ = 0;
  std::string head_;
  std::size_t sent_ = 0;
  bool was_done_ = false;
  bool is_due_ = false;
  bool is_held_ = false;
  bool is_half_closed_ = false;
};

}  // namespace refserver
