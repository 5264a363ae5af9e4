// Carries requests to their targets and answers back, over as many connections as that takes: opens them, sends, reads,
// stamps, cuts what is over its deadline. Reads all sockets into one buffer. Internal to drive.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "loadgen/drive/arrival.hpp"
#include "loadgen/drive/connection.hpp"
#include "loadgen/drive/connection_pool.hpp"
#include "loadgen/drive/endpoint.hpp"
#include "loadgen/drive/event_loop.hpp"
#include "loadgen/drive/exchange.hpp"
#include "loadgen/drive/source_addresses.hpp"

namespace loadgen {

class Courier final : private ConnectionOwner {
 public:
  /// Who sends through it. Called on the loop's thread; may carry the next exchange at once.
  class Client {
   public:
    /// The exchange is over and its record settled; the courier has let go of it.
    virtual void on_over(Exchange& exchange) = 0;
    /// The request has been given to the kernel, or the start of it that went in at once.
    virtual void on_sent(Exchange& exchange) = 0;
    /// Something has been read for the exchange, which has been told of it and may be over.
    virtual void on_read(const Exchange& exchange, const Arrival& arrival) = 0;

   protected:
    ~Client() = default;
  };

  /// `loop` and `client` outlive it; `endpoints` are the distinct targets.
  Courier(EventLoop& loop, Client& client, std::vector<Endpoint> endpoints, SourceAddresses sources = {});

  /// Connections are numbered `first`, `first + step`, ... (from 1 by ones until this is called): several couriers of a
  /// process can share one row of numbers.
  void number_connections(std::uint64_t first, std::uint64_t step) noexcept {
    next_number_ = first;
    number_step_ = step;
  }

  /// Connections that have been idle for `limit` carry no other request; 0: none carries a second one.
  void limit_idle(std::chrono::nanoseconds limit) noexcept { idle_limit_ns_ = limit.count(); }

  /// Opens `count` idle connections to a target, a few at a time; `done` is called once, with all of them open or when
  /// one could not be opened. (That is no request's failure: the request that needs the connection reports it.)
  void open_ahead(std::size_t target, std::uint32_t count, std::function<void()> done);

  /// Sends `request` (copied only if it cannot leave at once) for `exchange`, whose record has index, entry, intended
  /// and dispatch, and reads the answer. Ends with `on_over`, possibly before this returns.
  void carry(Exchange& exchange, std::size_t target, std::string_view request);

  /// Ends an exchange under way with this outcome; its connection is closed.
  void cut(Exchange& exchange, Outcome outcome, const char* why);
  /// Calls f(exchange) for each one under way; f may cut it.
  template <class F>
  void for_each_under_way(F f);

  /// Cuts every exchange whose deadline has passed.
  void sweep(std::int64_t now_ns);
  /// Compares the two clocks once more; to be called every millisecond or so.
  void measure_clocks() noexcept;

  std::size_t under_way() const noexcept { return active_.size(); }
  const RealtimeOffset& realtime_offset() const noexcept { return offset_; }

 private:
  /// An exchange under way. Deadlines lie side by side: a sweep of 10,000 touches nothing else.
  struct Active {
    std::int64_t deadline_ns = INT64_MAX;
    Exchange* exchange = nullptr;
    std::unique_ptr<Connection> connection;
  };
  struct OpenAhead {
    std::uint32_t left = 0, connecting = 0;
    std::function<void()> done;
  };

  void on_ready(Connection& connection, std::uint32_t events) override;
  void on_connect_done(Connection& connection);
  void go_on_setting_up(Connection& connection);
  void on_set_up(Connection& connection, int error, const std::string& why);
  void on_readable(Connection& connection, std::uint32_t events);
  void on_unwanted(Connection& connection);
  void go_on_writing(Connection& connection);

  std::unique_ptr<Connection> take_idle(std::size_t target, std::int64_t now_ns);
  std::unique_ptr<Connection> open(std::size_t target, int& error);
  FileDescriptor connect_to(const Endpoint& endpoint, int& error);
  void send(Connection& connection, std::string_view request);
  void open_next_ahead(std::size_t target);
  void on_opened_ahead(Connection& connection, int error);
  void attach(Exchange& exchange, std::unique_ptr<Connection> connection);
  void finish(Exchange& exchange);
  void retire(std::unique_ptr<Connection> connection);

  static constexpr std::size_t buffer_bytes = 64 * 1024;

  EventLoop& loop_;
  Client& client_;
  std::vector<Endpoint> endpoints_;
  SourceAddresses sources_;
  std::uint64_t next_number_ = 1, number_step_ = 1;  ///< of connections
  std::int64_t idle_limit_ns_ = INT64_MAX;
  ConnectionPool pool_;
  RealtimeOffset offset_;
  std::vector<Active> active_;
  std::vector<std::unique_ptr<Connection>> opening_;  ///< connections that are not for a request yet
  std::vector<OpenAhead> ahead_;                      ///< by target
  std::vector<char> buffer_ = std::vector<char>(buffer_bytes);
};

template <class F>
void Courier::for_each_under_way(F f) {
  std::vector<Exchange*> now;
  for (const Active& entry : active_) now.push_back(entry.exchange);
  for (Exchange* exchange : now) f(*exchange);
}

}  // namespace loadgen
