// One client connection as the reception sees it, whatever is served on it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>

namespace refserver {

class Connection {
 public:
  virtual ~Connection() = default;
  /// Serves until the client leaves, a limit is hit or the server drains. Does not throw for anything a client does.
  virtual boost::asio::awaitable<void> run() = 0;
  /// Applies the deadlines.
  virtual void on_tick(std::chrono::steady_clock::time_point now) = 0;
  /// The server drains: closes now if no request is under way, after it otherwise.
  virtual void drain() = 0;
  /// Ends at once, whatever is under way.
  virtual void cut() = 0;
};

}  // namespace refserver
