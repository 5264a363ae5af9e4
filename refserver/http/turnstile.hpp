// Lets requests that were read do their work one at a time, with a look at the sockets between any two. When hundreds
// arrive at once, each is thus read, and its time of arrival taken, within microseconds of coming in, instead of after
// the work of all before it; tokens that are due meanwhile wait for one request's work at most. I/O thread only.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <deque>
#include <functional>

namespace refserver {

class Turnstile {
 public:
  explicit Turnstile(boost::asio::io_context& io) : io_(io) {}
  Turnstile(const Turnstile&) = delete;
  Turnstile& operator=(const Turnstile&) = delete;

  /// Resumes when every earlier caller has had its turn and the sockets were looked at.
  boost::asio::awaitable<void> wait_turn();

 private:
  void post_next();

  boost::asio::io_context& io_;
  std::deque<std::function<void()>> waiting_;  ///< bounded by the number of connections
};

}  // namespace refserver
