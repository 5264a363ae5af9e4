// A loop: head, body, way, answer. While a backend works on a request the client's socket is read on, so that a client
// that leaves is noticed. (g++ 12 destroys class temporaries in co_await expressions twice: they get names here.)
#include "refserver/gateway/client.hpp"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

#include "refserver/api/json_writer.hpp"
#include "refserver/api/server_answers.hpp"
#include "refserver/gateway/exchange.hpp"
#include "refserver/gateway/head.hpp"
#include "refserver/gateway/own_answers.hpp"
#include "refserver/gateway/routing.hpp"
#include "refserver/gateway/scenario_call.hpp"
#include "refserver/http/response_head.hpp"

namespace refserver {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using Parser = http::request_parser<http::string_body>;
using namespace asio::experimental::awaitable_operators;  // NOLINT(google-build-using-namespace): operator|| only

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadAheadBytes = 64 * 1024;
constexpr std::size_t kLingerBytes = 16 * 1024 * 1024;
constexpr std::chrono::seconds kLingerTime{2};

std::string_view to_view(beast::string_view text) {
  return {text.data(), text.size()};
}

double seconds(Clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

class Client final : public GatewayClient, public std::enable_shared_from_this<Client> {
 public:
  Client(GatewayState& state, tcp::socket socket)
      : state_(state), socket_(std::move(socket)), buffer_(state.options.header_limit_bytes + kReadAheadBytes) {
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    state_.clients.insert(this);
    state_.metrics.set_connections(state_.clients.size());
  }
  ~Client() override {
    state_.clients.erase(this);
    state_.metrics.set_connections(state_.clients.size());
  }

  asio::awaitable<void> run() override {
    const auto self = shared_from_this();  // Suspended frames refer to this object; it must outlive them.
    while (!state_.is_draining && co_await serve_one()) {
    }
    close();
  }

  void on_tick(Clock::time_point now) override {
    if (exchange_ != nullptr) exchange_->on_tick(now);
    if (deadline_ && now >= *deadline_) close();
  }
  void drain() override {
    if (is_idle_) close();
  }
  void cut() override {
    if (exchange_ != nullptr) exchange_->abandon();
    close();
  }

 private:
  asio::awaitable<bool> serve_one() {
    Parser parser;
    parser.header_limit(state_.options.header_limit_bytes);
    parser.body_limit(state_.options.body_limit_bytes);
    is_idle_ = true;
    set_deadline(state_.options.idle_timeout);
    const auto [head_error, head_bytes] = co_await http::async_read_header(socket_, buffer_, parser, kToken);
    is_idle_ = false;
    if (head_error) co_return co_await answer_unreadable(parser, head_error);
    const error_code body_error = co_await read_body(parser);
    if (body_error) co_return co_await answer_unreadable(parser, body_error);
    deadline_.reset();
    const Clock::time_point received = Clock::now();
    const auto method = to_view(parser.get().method_string());
    if (method == "CONNECT") {
      const OwnAnswer refusal{405};
      co_return co_await refuse(parser, refusal);
    }
    const auto named = parser.get().find("x-plumbline-model");
    const bool is_named = named != parser.get().end();
    const auto way = find_way({method, to_view(parser.get().target()),
                               is_named ? std::optional(to_view(named->value())) : std::nullopt, parser.get().body()},
                              state_.backends);
    if (!way) {
      const OwnAnswer refusal = make_refusal(way.error());
      co_return co_await refuse(parser, refusal);
    }
    co_return co_await go(parser, *way, received);
  }

  asio::awaitable<error_code> read_body(Parser& parser) {
    set_deadline(state_.options.read_timeout);
    if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
      static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      const auto [ec, bytes] = co_await asio::async_write(socket_, asio::buffer(kContinue), kToken);
      if (ec) co_return ec;
    }
    if (parser.is_done()) co_return error_code();
    const auto [ec, bytes] = co_await http::async_read(socket_, buffer_, parser, kToken);
    co_return ec;
  }

  asio::awaitable<bool> go(const Parser& parser, const Way& way, Clock::time_point received) {
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

  BackendRequest begin_request(const Parser& parser, std::size_t backend) const {
    BackendRequest request;
    request.backend = backend;
    request.is_head = parser.get().method() == http::verb::head;
    request.can_be_chunked = parser.get().version() >= 11;
    request.closes_afterwards = closes(parser);
    return request;
  }

  Result<BackendRequest, Error> translate(const Parser& parser) const {
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

  bool closes(const Parser& parser) const {
    return state_.is_draining || !parser.get().keep_alive() || parser.get().version() < 11;
  }

  asio::awaitable<bool> forward(const Parser& parser, const BackendRequest& request, Clock::time_point received) {
    Backend& backend = state_.backends[request.backend];
    if (backend.in_flight >= state_.options.max_backend_requests) {
      state_.metrics.on_end(request.backend, Outcome::busy, 0, -1, {});
      const OwnAnswer fault = make_fault_answer(Outcome::busy, backend);
      co_return co_await answer(parser, fault);
    }
    ++backend.in_flight;
    Exchange exchange(state_.options, backend, socket_);
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
    while (buffer_.size() < kReadAheadBytes) {
      const auto [ec, bytes] = co_await socket_.async_read_some(buffer_.prepare(4096), kToken);
      if (!ec) {
        buffer_.commit(bytes);
        continue;
      }
      if (ec == asio::error::operation_aborted) co_return;
      has_client_left_ = true;
      exchange.abandon();
      co_return;
    }
    asio::steady_timer never(socket_.get_executor(), Clock::time_point::max());
    co_await never.async_wait(kToken);
  }

  asio::awaitable<bool> refuse(const Parser& parser, const OwnAnswer& refusal) {
    state_.metrics.on_refused();
    co_return co_await answer(parser, refusal);
  }

  asio::awaitable<bool> answer(const Parser& parser, const OwnAnswer& own) {
    const bool is_last = closes(parser);
    const bool is_head = parser.get().method() == http::verb::head;
    const std::string bytes = to_bytes(own, is_last ? Persistence::close : Persistence::keep, is_head);
    const bool is_sent = co_await send(bytes);
    co_return is_sent && !is_last;
  }

  asio::awaitable<bool> send(const std::string& bytes) {
    set_deadline(state_.options.write_timeout);
    const auto [ec, written] = co_await asio::async_write(socket_, asio::buffer(bytes), kToken);
    deadline_.reset();
    co_return !ec;
  }

  /// What was read is not a request, or one too long. An end of the stream or our own deadline needs no answer.
  asio::awaitable<bool> answer_unreadable(const Parser& parser, error_code ec) {
    const bool is_syntax = ec.category() == make_error_code(http::error::bad_method).category() &&
                           ec != http::error::end_of_stream && ec != http::error::partial_message;
    if (!is_syntax) co_return false;
    state_.metrics.on_refused();
    OwnAnswer refusal{400};
    if (ec == http::error::header_limit || ec == http::error::buffer_overflow) refusal.status = 431;
    if (ec == http::error::body_limit) {
      refusal = make_refusal({ErrorType::body_too_large, "Failed to buffer the request body: length limit exceeded"});
    }
    const std::string bytes = to_bytes(refusal, Persistence::close, false);
    const bool is_sent = co_await send(bytes);
    if (is_sent && !parser.is_done()) co_await linger();
    co_return false;
  }

  /// Closing with unread bytes would reset the connection and could take the answer with it.
  asio::awaitable<void> linger() {
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    set_deadline(kLingerTime);
    buffer_.clear();
    for (std::size_t total = 0; total < kLingerBytes;) {
      const auto [ec, bytes] = co_await socket_.async_read_some(buffer_.prepare(kReadAheadBytes), kToken);
      if (ec) break;
      total += bytes;
    }
  }

  void set_deadline(std::chrono::milliseconds timeout) { deadline_ = Clock::now() + timeout; }
  void close() {
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
  }

  GatewayState& state_;
  tcp::socket socket_;
  beast::flat_buffer buffer_;
  Exchange* exchange_ = nullptr;  ///< the one under way
  std::optional<Clock::time_point> deadline_;
  bool is_idle_ = false;
  bool has_client_left_ = false;
};

}  // namespace

std::shared_ptr<GatewayClient> make_gateway_client(GatewayState& state, tcp::socket socket) {
  return std::make_shared<Client>(state, std::move(socket));
}

}  // namespace refserver
