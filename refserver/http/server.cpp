// Wires the parts of the HTTP side together and hands tokens to the answers that wait for them.
#include "refserver/http/server.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include "refserver/http/answer.hpp"
#include "refserver/http/arrival.hpp"
#include "refserver/http/http_connection.hpp"
#include "refserver/http/reception.hpp"
#include "refserver/http/turnstile.hpp"
#include "refserver/http/validation_pool.hpp"

namespace refserver {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

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

/// One port: its number, and the face it shows.
struct Listener {
  explicit Listener(Face shown) : face(shown) {}
  std::uint16_t port = 0;
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
                 reception_,
                 turns_,
                 pool_},
        reception_({options_.max_connections, options_.graceful_termination_timeout, options_.sweep_interval},
                   [this] { metrics_.on_internal_error(); }) {
    listen(options_.port, std::nullopt);
    for (const ModelPort& own : options_.model_ports) listen(own.port, own.model);
    if (parts.calibration) metrics_.set_calibration(*parts.calibration);
    tokens_.on_ready([this] { asio::post(reception_.io(), [this] { dispatch_tokens(); }); });
  }

  std::uint16_t port(std::size_t listener) const { return listeners_[listener]->port; }
  std::size_t ports() const { return listeners_.size(); }
  EngineMeter& meter() { return metrics_; }
  std::vector<EngineMeter*> model_meters() {
    std::vector<EngineMeter*> meters(service_.models.size(), nullptr);
    for (const auto& listener : listeners_) {
      if (listener->face.only_model) meters[*listener->face.only_model] = listener->metrics.get();
    }
    return meters;
  }

  void run() { reception_.run(); }
  void stop_on_signals() { reception_.stop_on_signals(); }
  void stop() { reception_.stop(); }

 private:
  void listen(std::uint16_t port, std::optional<std::size_t> only_model) {
    auto listener = std::make_unique<Listener>(Face{only_model, metrics_});
    if (only_model) {
      const ModelInfo& model = service_.models[*only_model];
      listener->metrics = std::make_unique<ServerMetrics>(model.max_input_tokens, model.max_total_tokens);
      listener->face.own = listener->metrics.get();
    }
    const auto make = [this, &face = listener->face](tcp::socket socket) {
      return make_http_connection(service_, face, std::move(socket));
    };
    listener->port = reception_.listen(options_.host, port, make, [](int socket) {
      enable_arrival_stamps(socket);  // stamps bytes that come before the connection is accepted, too
      avoid_pacing(socket);
    });
    listeners_.push_back(std::move(listener));
  }

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

  HttpOptions options_;
  TokenQueue& tokens_;
  Validator validator_;
  std::optional<FaultPicker> faults_;
  ServerMetrics metrics_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  Service service_;  // outlives, as all above, what is suspended in the reception's io_context
  Reception reception_;
  Turnstile turns_{reception_.io()};
  ValidationPool pool_{reception_.io(), options_.validation_workers};  // its threads end before what they post to
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
