// Accept loop, token dispatch, the sweep that applies every deadline, and the two steps of stopping.
#include "refserver/http/server.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>

#include "refserver/http/answer.hpp"
#include "refserver/http/arrival.hpp"
#include "refserver/http/connection.hpp"
#include "refserver/http/turnstile.hpp"
#include "refserver/http/validation_pool.hpp"

namespace refserver {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr int kBacklog = 4096;

std::uint32_t largest(std::span<const ModelInfo> models, std::uint32_t ModelInfo::*limit) {
  return (*std::max_element(models.begin(), models.end(),
                            [=](const auto& a, const auto& b) { return a.*limit < b.*limit; })).*
         limit;
}

/// Where the system's congestion control is BBR, the kernel spreads small writes out in time. A token is to leave when
/// it is written: connections inherit plain Reno, which every Linux has and which never waits.
void avoid_pacing(int listener) noexcept {
  ::setsockopt(listener, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
}

/// One port: its socket, and the face it shows.
struct Listener {
  Listener(asio::io_context& io, Face shown) : acceptor(io), face(shown) {}
  tcp::acceptor acceptor;
  std::unique_ptr<ServerMetrics> metrics;  ///< of a model's own port
  Face face;
};

}  // namespace

class Server::Impl {
 public:
  Impl(HttpOptions options, ServerParts parts)
      : options_(std::move(options)),
        tokens_(parts.tokens),
        validator_(parts.models, parts.limits),
        faults_(parts.faults ? std::optional<FaultPicker>(std::move(*parts.faults)) : std::nullopt),
        metrics_(largest(parts.models, &ModelInfo::max_input_tokens),
                 largest(parts.models, &ModelInfo::max_total_tokens)),
        service_{options_,
                 parts.models,
                 validator_,
                 parts.work,
                 parts.board,
                 parts.truth_log,
                 faults_ ? &*faults_ : nullptr,
                 parts.statsd,
                 metrics_,
                 turns_,
                 pool_},
        sweep_timer_(io_),
        signals_(io_) {
    listen(options_.port, std::nullopt);
    for (const ModelPort& own : options_.model_ports) listen(own.port, own.model);
    if (parts.calibration) metrics_.set_calibration(*parts.calibration);
    tokens_.on_ready([this] { asio::post(io_, [this] { dispatch_tokens(); }); });
  }

  std::uint16_t port(std::size_t listener) const { return listeners_[listener]->acceptor.local_endpoint().port(); }
  std::size_t ports() const { return listeners_.size(); }
  EngineMeter& meter() { return metrics_; }
  std::vector<EngineMeter*> model_meters() {
    std::vector<EngineMeter*> meters(service_.models.size(), nullptr);
    for (const auto& listener : listeners_) {
      if (listener->face.only_model) meters[*listener->face.only_model] = listener->metrics.get();
    }
    return meters;
  }

  void run() {
    for (const auto& listener : listeners_) spawn(accept_loop(*listener));
    spawn(sweep_loop());
    io_.run();
  }

  void stop_on_signals() {
    signals_.add(SIGTERM);
    signals_.add(SIGINT);
    wait_for_signal();
  }

  void stop() {
    asio::post(io_, [this] { begin_stop(); });
  }

 private:
  void listen(std::uint16_t port, std::optional<std::size_t> only_model) {
    auto listener = std::make_unique<Listener>(io_, Face{only_model, metrics_});
    if (only_model) {
      const ModelInfo& model = service_.models[*only_model];
      listener->metrics = std::make_unique<ServerMetrics>(model.max_input_tokens, model.max_total_tokens);
      listener->face.own = listener->metrics.get();
    }
    const tcp::endpoint address(asio::ip::make_address(options_.host), port);
    tcp::acceptor& acceptor = listener->acceptor;
    acceptor.open(address.protocol());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    acceptor.bind(address);
    enable_arrival_stamps(acceptor.native_handle());  // stamps bytes that come before the connection is accepted, too
    avoid_pacing(acceptor.native_handle());
    acceptor.listen(kBacklog);
    listeners_.push_back(std::move(listener));
  }

  /// Every coroutine starts here: an exception is a bug, which is said and counted instead of ending the server.
  void spawn(asio::awaitable<void> work) {
    asio::co_spawn(io_, std::move(work), [this](const std::exception_ptr& error) {
      if (!error) return;
      metrics_.on_internal_error();
      try {
        std::rethrow_exception(error);
      } catch (const std::exception& e) {
        fmt::print(stderr, "refserver: internal error: {}\n", e.what());
      }
    });
  }

  asio::awaitable<void> accept_loop(Listener& listener) {
    while (!service_.is_draining) {
      auto [ec, socket] = co_await listener.acceptor.async_accept(kToken);
      if (ec == asio::error::operation_aborted) break;
      if (ec) {
        // Out of file descriptors, most likely: give connections time to end instead of spinning.
        asio::steady_timer pause(io_, std::chrono::milliseconds(10));
        co_await pause.async_wait(kToken);
      } else if (service_.connections.size() < options_.max_connections) {
        spawn(serve(make_connection(service_, listener.face, std::move(socket))));
      }
    }
  }

  static asio::awaitable<void> serve(std::shared_ptr<Connection> connection) { co_await connection->run(); }

  void dispatch_tokens() {
    tokens_.take(batch_);
    for (const TokenEvent& event : batch_) {
      const auto found = service_.receivers.find(event.request);
      // Not there: the client left while the token was on its way.
      if (found == service_.receivers.end()) continue;
      const Receiver receiver = found->second;
      receiver.answer->on_token(receiver.sequence, event);
    }
  }

  asio::awaitable<void> sweep_loop() {
    while (!service_.is_draining || !service_.connections.empty()) {
      const auto interval = service_.is_draining ? std::chrono::milliseconds(10) : options_.sweep_interval;
      sweep_timer_.expires_after(std::min(interval, options_.sweep_interval));
      co_await sweep_timer_.async_wait(kToken);
      const TimePoint now = Clock::now();
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
  void for_each_connection(Visit visit) {
    const std::vector<Connection*> all(service_.connections.begin(), service_.connections.end());
    for (Connection* const connection : all) visit(*connection);
  }

  void wait_for_signal() {
    signals_.async_wait([this](const error_code& ec, int /*signal*/) {
      if (ec) return;
      begin_stop();
      wait_for_signal();
    });
  }

  void begin_stop() {
    if (service_.is_draining) {
      cut_at_ = Clock::now();
      return;
    }
    service_.is_draining = true;
    cut_at_ = Clock::now() + options_.graceful_termination_timeout;
    error_code ignored;
    for (const auto& listener : listeners_) listener->acceptor.close(ignored);
    for_each_connection([](Connection& connection) { connection.drain(); });
    sweep_timer_.cancel();
  }

  HttpOptions options_;
  TokenQueue& tokens_;
  Validator validator_;
  std::optional<FaultPicker> faults_;
  ServerMetrics metrics_;
  Service service_;  // outlives what is suspended in the io_context
  asio::io_context io_{1};
  Turnstile turns_{io_};
  ValidationPool pool_{io_, options_.validation_workers};  // its threads end before the io_context they post to
  std::vector<std::unique_ptr<Listener>> listeners_;
  asio::steady_timer sweep_timer_;
  asio::signal_set signals_;
  std::optional<TimePoint> cut_at_;
  std::vector<TokenEvent> batch_;
};

Server::Server(HttpOptions options, ServerParts parts)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(parts))) {}
Server::~Server() = default;
std::uint16_t Server::port() const {
  return impl_->port(0);
}
std::vector<std::uint16_t> Server::model_ports() const {
  std::vector<std::uint16_t> ports;
  for (std::size_t i = 1; i < impl_->ports(); ++i) ports.push_back(impl_->port(i));
  return ports;
}
EngineMeter& Server::meter() {
  return impl_->meter();
}
std::vector<EngineMeter*> Server::model_meters() {
  return impl_->model_meters();
}
void Server::stop_on_signals() {
  impl_->stop_on_signals();
}
void Server::run() {
  impl_->run();
}
void Server::stop() {
  impl_->stop();
}

}  // namespace refserver
