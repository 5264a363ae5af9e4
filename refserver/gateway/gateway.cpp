// The clients' reception, and a probe per backend.
#include "refserver/gateway/gateway.hpp"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>

#include "refserver/api/json_reader.hpp"
#include "refserver/gateway/client.hpp"
#include "refserver/gateway/http_get.hpp"
#include "refserver/http/reception.hpp"

namespace refserver {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

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
      : state_(std::move(options), std::move(backends)),
        reception_({state_.options.max_connections, state_.options.graceful_termination_timeout,
                    state_.options.sweep_interval},
                   [this] { state_.metrics.on_internal_error(); }) {
    if (state_.options.statsd.where) {
      std::vector<std::string> names;
      for (const Backend& backend : state_.backends) names.push_back(backend.address.name);
      state_.metrics.tell(statsd_.emplace(state_.options.statsd, names));
    }
    const auto make = [this](tcp::socket socket) { return make_gateway_client(state_, reception_, std::move(socket)); };
    port_ = reception_.listen(state_.options.host, state_.options.port, make);
    reception_.on_drain([this] {
      for (const auto& timer : probe_timers_) timer->cancel();
    });
  }

  std::uint16_t port() const { return port_; }

  void stop_on_signals() { reception_.stop_on_signals(); }

  void run() {
    probe_timers_.reserve(state_.backends.size());
    for (std::size_t i = 0; i < state_.backends.size(); ++i) {
      probe_timers_.push_back(std::make_unique<asio::steady_timer>(reception_.io()));
      reception_.spawn(probe_loop(i));
    }
    reception_.run();
  }

 private:
  asio::awaitable<void> probe_loop(std::size_t index) {
    while (!reception_.is_draining()) {
      co_await probe(state_.backends[index]);
      if (reception_.is_draining()) break;
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

  std::optional<StatsdMeter> statsd_;  // outlives what tells it
  GatewayState state_;                 // outlives what is suspended in the reception's io_context
  Reception reception_;
  std::vector<std::unique_ptr<asio::steady_timer>> probe_timers_;
  std::uint16_t port_ = 0;
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
