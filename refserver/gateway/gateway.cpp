// Accept loop, a probe per backend, the sweep that applies every deadline, and the two steps of stopping.
#include "refserver/gateway/gateway.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <cstdio>

#include "refserver/api/json_reader.hpp"
#include "refserver/gateway/client.hpp"
#include "refserver/gateway/http_get.hpp"

namespace refserver {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr int kBacklog = 4096;

/// `model_id` of /info; empty if there is none.
std::string read_model_id(std::string_view info) {
  std::string id;
  JsonReader json(info);
  for (bool open = json.begin_object("an object"); open && json.next_key();) {
    if (json.key() == "model_id" && json.peek() == '"') {
      id = json.read_string();
    } else {
      json.skip_value();
    }
  }
  return json.failed() ? std::string() : id;
}

}  // namespace

class Gateway::Impl {
 public:
  Impl(GatewayOptions options, std::vector<Backend> backends)
      : state_(std::move(options), std::move(backends)), acceptor_(io_), sweep_timer_(io_), signals_(io_) {
    if (state_.options.statsd.where) {
      std::vector<std::string> names;
      for (const Backend& backend : state_.backends) names.push_back(backend.address.name);
      state_.metrics.tell(statsd_.emplace(state_.options.statsd, names));
    }
    const tcp::endpoint address(asio::ip::make_address(state_.options.host), state_.options.port);
    acceptor_.open(address.protocol());
    acceptor_.set_option(tcp::acceptor::reuse_address(true));
    acceptor_.bind(address);
    acceptor_.listen(kBacklog);
  }

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

  void stop_on_signals() {
    signals_.add(SIGTERM);
    signals_.add(SIGINT);
    wait_for_signal();
  }

  void run() {
    probe_timers_.reserve(state_.backends.size());
    for (std::size_t i = 0; i < state_.backends.size(); ++i) {
      probe_timers_.push_back(std::make_unique<asio::steady_timer>(io_));
      spawn(probe_loop(i));
    }
    spawn(accept_loop());
    spawn(sweep_loop());
    io_.run();
  }

 private:
  /// Every coroutine starts here: an exception is a bug, which is said and counted instead of ending the gateway.
  void spawn(asio::awaitable<void> work) {
    asio::co_spawn(io_, std::move(work), [this](const std::exception_ptr& error) {
      if (!error) return;
      state_.metrics.on_internal_error();
      try {
        std::rethrow_exception(error);
      } catch (const std::exception& e) {
        fmt::print(stderr, "refserver: internal error: {}\n", e.what());
      }
    });
  }

  asio::awaitable<void> accept_loop() {
    while (!state_.is_draining) {
      auto [ec, socket] = co_await acceptor_.async_accept(kToken);
      if (ec == asio::error::operation_aborted) break;
      if (ec) {
        // Out of file descriptors, most likely: give connections time to end instead of spinning.
        asio::steady_timer pause(io_, std::chrono::milliseconds(10));
        co_await pause.async_wait(kToken);
      } else if (state_.clients.size() < state_.options.max_connections) {
        spawn(serve(make_gateway_client(state_, std::move(socket))));
      }
    }
  }

  static asio::awaitable<void> serve(std::shared_ptr<GatewayClient> client) { co_await client->run(); }

  asio::awaitable<void> probe_loop(std::size_t index) {
    while (!state_.is_draining) {
      co_await probe(state_.backends[index]);
      if (state_.is_draining) break;
      probe_timers_[index]->expires_after(state_.options.probe_interval);
      co_await probe_timers_[index]->async_wait(kToken);
    }
  }

  asio::awaitable<void> probe(Backend& backend) {
    static const std::string health = "/health";
    static const std::string info = "/info";
    const auto found = co_await resolve(backend.address);
    if (found) backend.endpoints = *found;
    bool is_up = false;
    if (found) {
      const auto reply = co_await http_get(backend.address, *found, health, state_.options.probe_timeout);
      is_up = reply && reply->status == 200;
    }
    if (is_up && (backend.served_name.empty() || !backend.is_up)) {
      const auto reply = co_await http_get(backend.address, *found, info, state_.options.probe_timeout);
      if (reply && reply->status == 200) backend.served_name = read_model_id(reply->body);
    }
    if (is_up != backend.is_up) fmt::print(stderr, "backend {}: {}\n", backend.address.name, is_up ? "up" : "down");
    backend.is_up = is_up;
  }

  asio::awaitable<void> sweep_loop() {
    while (!state_.is_draining || !state_.clients.empty()) {
      sweep_timer_.expires_after(state_.options.sweep_interval);
      co_await sweep_timer_.async_wait(kToken);
      const Clock::time_point now = Clock::now();
      const bool is_over = cut_at_ && now >= *cut_at_;
      for_each_client([&](GatewayClient& client) {
        if (is_over) {
          client.cut();
        } else {
          client.on_tick(now);
        }
      });
    }
    error_code ignored;
    signals_.cancel(ignored);
  }

  /// Clients may close while being visited; none is destroyed before its coroutine resumes later.
  template <class Visit>
  void for_each_client(Visit visit) {
    const std::vector<GatewayClient*> all(state_.clients.begin(), state_.clients.end());
    for (GatewayClient* const client : all) visit(*client);
  }

  void wait_for_signal() {
    signals_.async_wait([this](const error_code& ec, int /*signal*/) {
      if (ec) return;
      begin_stop();
      wait_for_signal();
    });
  }

  void begin_stop() {
    if (state_.is_draining) {
      cut_at_ = Clock::now();
      return;
    }
    state_.is_draining = true;
    cut_at_ = Clock::now() + state_.options.graceful_termination_timeout;
    error_code ignored;
    acceptor_.close(ignored);
    for_each_client([](GatewayClient& client) { client.drain(); });
    for (const auto& timer : probe_timers_) timer->cancel();
    sweep_timer_.cancel();
  }

  std::optional<StatsdMeter> statsd_;  // outlives what tells it
  GatewayState state_;                 // outlives what is suspended in the io_context
  asio::io_context io_{1};
  tcp::acceptor acceptor_;
  std::vector<std::unique_ptr<asio::steady_timer>> probe_timers_;
  asio::steady_timer sweep_timer_;
  asio::signal_set signals_;
  std::optional<Clock::time_point> cut_at_;
};

Gateway::Gateway(GatewayOptions options, std::vector<Backend> backends)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(backends))) {}
Gateway::~Gateway() = default;
std::uint16_t Gateway::port() const {
  return impl_->port();
}
void Gateway::stop_on_signals() {
  impl_->stop_on_signals();
}
void Gateway::run() {
  impl_->run();
}

}  // namespace refserver
