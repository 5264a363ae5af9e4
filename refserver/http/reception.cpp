// Accept loops, the sweep that applies every deadline, and the two steps of stopping.
#include "refserver/http/reception.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <cstdio>

namespace refserver {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr int kBacklog = 4096;
/// While draining, so that the end is noticed soon after the last connection is gone.
constexpr std::chrono::milliseconds kDrainingSweep{10};

}  // namespace

Reception::Reception(const ReceptionOptions& options, std::function<void()> on_internal_error)
    : options_(options), on_internal_error_(std::move(on_internal_error)) {}

std::uint16_t Reception::listen(const std::string& host, std::uint16_t port, MakeConnection make,
                                const PrepareSocket& prepare) {
  const Tcp::endpoint address(asio::ip::make_address(host), port);
  Tcp::acceptor acceptor(io_);
  acceptor.open(address.protocol());
  acceptor.set_option(Tcp::acceptor::reuse_address(true));
  acceptor.bind(address);
  if (prepare) prepare(acceptor.native_handle());
  acceptor.listen(kBacklog);
  listeners_.push_back(std::make_unique<Listener>(Listener{std::move(acceptor), std::move(make)}));
  return listeners_.back()->acceptor.local_endpoint().port();
}

void Reception::stop_on_signals() {
  signals_.add(SIGTERM);
  signals_.add(SIGINT);
  wait_for_signal();
}

void Reception::spawn(asio::awaitable<void> work) {
  asio::co_spawn(io_, std::move(work), [this](const std::exception_ptr& error) {
    if (!error) return;
    on_internal_error_();
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      fmt::print(stderr, "refserver: internal error: {}\n", e.what());
    }
  });
}

void Reception::run() {
  for (const auto& listener : listeners_) spawn(accept_loop(*listener));
  spawn(sweep_loop());
  io_.run();
}

void Reception::stop() {
  asio::post(io_, [this] { begin_stop(); });
}

asio::awaitable<void> Reception::accept_loop(Listener& listener) {
  while (!is_draining()) {
    auto [ec, socket] = co_await listener.acceptor.async_accept(kToken);
    if (ec == asio::error::operation_aborted) break;
    if (ec) {
      // Out of file descriptors, most likely: give connections time to end instead of spinning.
      asio::steady_timer pause(io_, std::chrono::milliseconds(10));
      co_await pause.async_wait(kToken);
    } else if (connections_.size() < options_.max_connections) {
      spawn(serve(listener.make(std::move(socket))));
    }
  }
}

asio::awaitable<void> Reception::serve(std::shared_ptr<Connection> connection) {
  co_await connection->run();
}

asio::awaitable<void> Reception::sweep_loop() {
  while (!is_draining() || !connections_.empty()) {
    const auto interval = is_draining() ? kDrainingSweep : options_.sweep_interval;
    sweep_timer_.expires_after(std::min(interval, options_.sweep_interval));
    co_await sweep_timer_.async_wait(kToken);
    const Clock::time_point now = Clock::now();
    const bool is_over = cut_at_ && now >= *cut_at_;
    for_each_connection([&](Connection& connection) {
      if (is_over) {
        connection.cut();
      } else {
        connection.on_tick(now);
      }
    });
  }
  error_code ignored;
  signals_.cancel(ignored);
}

/// Connections may close while being visited; none is destroyed before its coroutine resumes later.
template <class Visit>
void Reception::for_each_connection(Visit visit) {
  const std::vector<Connection*> all(connections_.begin(), connections_.end());
  for (Connection* const connection : all) visit(*connection);
}

void Reception::wait_for_signal() {
  signals_.async_wait([this](const error_code& ec, int /*signal*/) {
    if (ec) return;
    begin_stop();
    wait_for_signal();
  });
}

void Reception::begin_stop() {
  if (is_draining()) {
    cut_at_ = Clock::now();
    return;
  }
  cut_at_ = Clock::now() + options_.graceful_termination_timeout;
  error_code ignored;
  for (const auto& listener : listeners_) listener->acceptor.close(ignored);
  for_each_connection([](Connection& connection) { connection.drain(); });
  if (on_drain_) on_drain_();
  sweep_timer_.cancel();
}

}  // namespace refserver
