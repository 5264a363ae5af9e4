// The connections of one server as a whole: accepts them, looks at their deadlines, and sees them off in two steps.
// Knows nothing of what they serve.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "refserver/http/connection.hpp"

namespace refserver {

struct ReceptionOptions {
  std::size_t max_connections = 1024;  ///< more are closed at once
  std::chrono::milliseconds graceful_termination_timeout{90'000};
  std::chrono::milliseconds sweep_interval{250};  ///< how often deadlines are looked at
};

/// Owns the event loop. I/O thread only, but for `stop`.
class Reception {
 public:
  using Tcp = boost::asio::ip::tcp;
  using MakeConnection = std::function<std::shared_ptr<Connection>(Tcp::socket)>;
  using PrepareSocket = std::function<void(int)>;

  /// `on_internal_error` is called for every exception that a coroutine lets out; the reception prints it.
  Reception(const ReceptionOptions& options, std::function<void()> on_internal_error);

  boost::asio::io_context& io() { return io_; }

  /// Binds an IP address literal; port 0: the system picks one. `prepare` gets the bound socket before it listens.
  /// Returns the port. Throws boost::system::system_error if the address cannot be bound.
  std::uint16_t listen(const std::string& host, std::uint16_t port, MakeConnection make,
                       const PrepareSocket& prepare = {});
  /// To be called once, when the first step of stopping has been taken.
  void on_drain(std::function<void()> told) { on_drain_ = std::move(told); }
  /// SIGTERM and SIGINT stop; a second signal cuts at once.
  void stop_on_signals();
  /// Every coroutine starts here: an exception is a bug, which is said and counted instead of ending the server.
  void spawn(boost::asio::awaitable<void> work);
  /// Serves until stopped and every connection has ended.
  void run();
  /// From any thread. The first call stops accepting and lets requests under way finish until the graceful timeout,
  /// the second cuts them.
  void stop();

  /// A connection is here from its constructor to its destructor.
  void enter(Connection& connection) { connections_.insert(&connection); }
  void leave(Connection& connection) { connections_.erase(&connection); }
  std::size_t connections() const { return connections_.size(); }
  /// True from the first step of stopping: finish what runs, take nothing new.
  bool is_draining() const { return cut_at_.has_value(); }

 private:
  struct Listener {
    Tcp::acceptor acceptor;
    MakeConnection make;
  };

  boost::asio::awaitable<void> accept_loop(Listener& listener);
  static boost::asio::awaitable<void> serve(std::shared_ptr<Connection> connection);
  boost::asio::awaitable<void> sweep_loop();
  template <class Visit>
  void for_each_connection(Visit visit);
  void wait_for_signal();
  void begin_stop();

  ReceptionOptions options_;
  std::function<void()> on_internal_error_;
  std::function<void()> on_drain_;
  std::unordered_set<Connection*> connections_;  // outlives what is suspended in the io_context
  std::optional<std::chrono::steady_clock::time_point> cut_at_;
  boost::asio::io_context io_{1};
  std::vector<std::unique_ptr<Listener>> listeners_;
  boost::asio::steady_timer sweep_timer_{io_};
  boost::asio::signal_set signals_{io_};
};

}  // namespace refserver
