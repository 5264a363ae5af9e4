// A loop: head, body, way, answer. While a backend works on a request the client's socket is read on, so that a client
// that leaves is noticed. (g++ 12 destroys class temporaries in co_await expressions twice: they get names here.)
#include "refserver/gateway/client.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/error.hpp>

#include "refserver/api/json_writer.hpp"
#include "refserver/api/server_answers.hpp"
#include "refserver/gateway/exchange.hpp"
#include "refserver/gateway/head.hpp"
#include "refserver/gateway/own_answers.hpp"
#include "refserver/gateway/routing.hpp"
#include "refserver/gateway/scenario_call.hpp"
#include "refserver/http/reception.hpp"
#include "refserver/http/request_stream.hpp"
#include "refserver/http/response_head.hpp"

namespace refserver {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using namespace asio::experimental::awaitable_operators;  // NOLINT(google-build-using-namespace): operator|| only

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

double seconds(Clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

class Client final : public Connection, public std::enable_shared_from_this<Client> {
 public:
  Client(GatewayState& state, Reception& reception, tcp::socket socket)
      : state_(state),
        reception_(reception),
        stream_(std::move(socket), {state.options.body_limit_bytes, state.options.header_limit_bytes,
                                    state.options.read_timeout, state.options.write_timeout}) {
    reception_.enter(*this);
    state_.metrics.set_connections(reception_.connections());
  }
  ~Client() override {
    reception_.leave(*this);
    state_.metrics.set_connections(reception_.connections());
  }

  asio::awaitable<void> run() override {
    const auto self = shared_from_this();  // Suspended frames refer to this object; it must outlive them.
    while (!reception_.is_draining() && co_await serve_one()) {
    }
    stream_.close();
  }

  void on_tick(Clock::time_point now) override {
    if (exchange_ != nullptr) exchange_->on_tick(now);
    if (stream_.is_overdue(now)) stream_.close();
  }
  void drain() override {
    if (is_idle_) stream_.close();
  }
  void cut() override {
    if (exchange_ != nullptr) exchange_->abandon();
    stream_.close();
  }

 private:
  asio::awaitable<bool> serve_one() {
    RequestParser parser;
    is_idle_ = true;
    stream_.set_deadline(state_.options.idle_timeout);
    std::size_t head_bytes = 0;
    error_code ec = co_await stream_.read_head(parser, head_bytes);
    is_idle_ = false;
    if (!ec) ec = co_await stream_.read_body(parser);
    if (ec) co_return co_await answer_unreadable(parser, ec);
    stream_.clear_deadline();
    const Clock::time_point received = Clock::now();
    const auto method = to_view(parser.get().method_string());
    if (method == "CONNECT") {
      const OwnAnswer refusal{405};
      co_return co_await refuse(parser, refusal);
    }
    const auto way = find_way(
        {method, to_view(parser.get().target()), find_header(parser, "x-plumbline-model"), parser.get().body()},
        state_.backends);
    if (!way) {
      const OwnAnswer refusal = make_refusal(way.error());
      co_return co_await refuse(parser, refusal);
    }
    co_return co_await go(parser, *way, received);
  }

  asio::awaitable<bool> go(const RequestParser& parser, const Way& way, Clock::time_point received) {
    if (way.kind == Way::Kind::forward) {
      BackendRequest request = begin_request(parser, way.backend);
      request.bytes = make_backend_head(to_view(parser.get().method_string()), way.target,
                                        state_.backends[way.backend].address, parser.get(), parser.get().body().size());
      request.bytes += parser.get().body();
      co_return co_await forward(parser, request, received);
    }
    if (way.kind == Way::Kind::scenario) {
      auto request = translate(parser);
      if (!request) {
        const OwnAnswer refusal = make_refusal(request.error());
        co_return co_await refuse(parser, refusal);
      }
      co_return co_await forward(parser, *request, received);
    }
    const OwnAnswer own = make_own_answer(state_, way.kind);
    co_return co_await answer(parser, own);
  }

  BackendRequest begin_request(const RequestParser& parser, std::size_t backend) const {
    BackendRequest request;
    request.backend = backend;
    request.is_head = parser.get().method() == http::verb::head;
    request.can_be_chunked = parser.get().version() >= 11;
    request.closes_afterwards = closes(parser);
    return request;
  }

  Result<BackendRequest, Error> translate(const RequestParser& parser) const {
    const auto call = read_scenario_call(parser.get().body());
    if (!call) return call.error();
    const std::size_t found = find_backend(state_.backends, call->model);
    if (found == state_.backends.size()) return unknown_model(call->model, state_.backends);
    const Backend& backend = state_.backends[found];
    const auto body = make_backend_body(*call, backend);
    if (!body) return body.error();
    BackendRequest request = begin_request(parser, found);
    request.answer = call->is_stream ? BackendRequest::Answer::scenario_stream : BackendRequest::Answer::scenario;
    request.wants_details = call->wants_details;
    request.bytes = make_backend_head("POST", call->is_stream ? "/generate_stream" : "/generate", backend.address,
                                      parser.get(), body->size());
    request.bytes += *body;
    return request;
  }

  bool closes(const RequestParser& parser) const {
    return reception_.is_draining() || !parser.get().keep_alive() || parser.get().version() < 11;
  }

  asio::awaitable<bool> forward(const RequestParser& parser, const BackendRequest& request,
                                Clock::time_point received) {
    Backend& backend = state_.backends[request.backend];
    if (backend.in_flight >= state_.options.max_backend_requests) {
      state_.metrics.on_end(request.backend, Outcome::busy, 0, -1, {});
      const OwnAnswer fault = make_fault_answer(Outcome::busy, backend);
      co_return co_await answer(parser, fault);
    }
    ++backend.in_flight;
    Exchange exchange(state_.options, backend, stream_.socket());
    exchange_ = &exchange;
    ExchangeEnd end;
    end.outcome = Outcome::client_gone;
    auto both = carry_out(exchange, request, end) || watch_client(exchange);
    co_await std::move(both);
    exchange_ = nullptr;
    --backend.in_flight;
    const double first_byte = end.first_byte ? seconds(*end.first_byte - received) : -1;
    state_.metrics.on_end(request.backend, end.outcome, seconds(Clock::now() - received), first_byte, end.tokens);
    if (end.outcome == Outcome::client_gone) co_return false;
    if (!end.has_begun && http_status(end.outcome) != 0) {
      const OwnAnswer fault = make_fault_answer(end.outcome, backend);
      co_return co_await answer(parser, fault);
    }
    co_return end.can_continue && !has_client_left_;
  }

  static asio::awaitable<void> carry_out(Exchange& exchange, const BackendRequest& request, ExchangeEnd& end) {
    end = co_await exchange.run(request);
  }

  /// Returns when the client has left; otherwise it is cancelled with the end of the exchange. What the client sends
  /// meanwhile is kept.
  asio::awaitable<void> watch_client(Exchange& exchange) {
    while (!stream_.is_full()) {
      const error_code ec = co_await stream_.read_ahead();
      if (!ec) continue;
      if (ec == asio::error::operation_aborted) co_return;
      has_client_left_ = true;
      exchange.abandon();
      co_return;
    }
    asio::steady_timer never(stream_.socket().get_executor(), Clock::time_point::max());
    co_await never.async_wait(kToken);
  }

  asio::awaitable<bool> refuse(const RequestParser& parser, const OwnAnswer& refusal) {
    state_.metrics.on_refused();
    co_return co_await answer(parser, refusal);
  }

  asio::awaitable<bool> answer(const RequestParser& parser, const OwnAnswer& own) {
    const bool is_last = closes(parser);
    const bool is_head = parser.get().method() == http::verb::head;
    const std::string bytes = to_bytes(own, is_last ? Persistence::close : Persistence::keep, is_head);
    const bool is_sent = co_await stream_.send(bytes);
    co_return is_sent && !is_last;
  }

  /// What was read is not a request, or one too long. An end of the stream or our own deadline needs no answer.
  asio::awaitable<bool> answer_unreadable(const RequestParser& parser, error_code ec) {
    const auto status = status_of_unreadable(ec);
    if (!status) co_return false;
    state_.metrics.on_refused();
    OwnAnswer refusal{*status};
    if (ec == http::error::body_limit) {
      refusal = make_refusal({ErrorType::body_too_large, "Failed to buffer the request body: length limit exceeded"});
    }
    const std::string bytes = to_bytes(refusal, Persistence::close, false);
    const bool is_sent = co_await stream_.send(bytes);
    if (is_sent && !parser.is_done()) co_await stream_.linger();
    co_return false;
  }

  GatewayState& state_;
  Reception& reception_;
  RequestStream stream_;
  Exchange* exchange_ = nullptr;  ///< the one under way
  bool is_idle_ = false;
  bool has_client_left_ = false;
};

}  // namespace

std::shared_ptr<Connection> make_gateway_client(GatewayState& state, Reception& reception, tcp::socket socket) {
  return std::make_shared<Client>(state, reception, std::move(socket));
}

}  // namespace refserver
