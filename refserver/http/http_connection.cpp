// A loop: head, body, answer; the deadline of each phase is looked at by the server's sweep, so that no phase needs a
// timer of its own. (g++ 12 destroys class temporaries in co_await expressions twice: they get names here.)
#include "refserver/http/http_connection.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/error.hpp>
#include <cerrno>

#include "refserver/api/read_request.hpp"
#include "refserver/api/token_list.hpp"
#include "refserver/http/access.hpp"
#include "refserver/http/answer.hpp"
#include "refserver/http/arrival.hpp"
#include "refserver/http/reception.hpp"
#include "refserver/http/request_head.hpp"
#include "refserver/http/request_stream.hpp"
#include "refserver/http/route_table.hpp"
#include "refserver/http/simple_answer.hpp"
#include "refserver/http/turnstile.hpp"
#include "refserver/http/validation_pool.hpp"

namespace refserver {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kFirstReadBytes = 16 * 1024;

class HttpConnection final : public Connection, public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(Service& service, Face& face, tcp::socket socket)
      : service_(service),
        face_(face),
        stream_(std::move(socket), {service.options.body_limit_bytes, service.options.header_limit_bytes,
                                    service.options.read_timeout, service.options.write_timeout}),
        done_(stream_.socket().get_executor()) {
    error_code ignored;
    stream_.socket().non_blocking(true, ignored);
    enable_arrival_stamps(stream_.socket().native_handle());
    service_.reception.enter(*this);
    service_.metrics.set_connections(service_.reception.connections());
  }
  ~HttpConnection() override {
    service_.reception.leave(*this);
    service_.metrics.set_connections(service_.reception.connections());
  }

  asio::awaitable<void> run() override {
    // Suspended frames refer to this object; it must outlive them.
    const auto self = shared_from_this();
    while (!service_.reception.is_draining() && co_await serve_one()) {
    }
    stream_.close();
  }

  void on_tick(TimePoint now) override {
    if (answer_) answer_->on_tick(now);
    if (stream_.is_overdue(now)) close();
  }

  void drain() override {
    if (is_idle_) close();
  }

  void cut() override {
    if (answer_) answer_->abandon("shutdown");
    close();
  }

 private:
  /// Reads and answers one request; false when the connection is to be closed.
  asio::awaitable<bool> serve_one() {
    RequestParser parser;
    is_idle_ = stream_.buffer().size() == 0;
    stream_.set_deadline(service_.options.idle_timeout);
    co_await read_first_bytes();
    is_idle_ = stream_.buffer().size() == 0;
    std::size_t head_bytes = 0;
    const error_code ec = co_await stream_.read_head(parser, head_bytes);
    is_idle_ = false;
    if (ec && ec != http::error::body_limit) co_return co_await answer_unreadable(ec);
    co_return co_await serve_head(parser, ec, head_bytes);
  }

  /// Goes on with a head that was read; `ec` says no more than that its body is too long.
  asio::awaitable<bool> serve_head(RequestParser& parser, error_code ec, std::size_t head_bytes) {
    const RouteMatch match = match_route(to_view(parser.get().method_string()), to_view(parser.get().target()),
                                         service_.validator.limits().dialect);
    allow_origin_ = allowed_origin(service_.options.cors_allowed_origins, to_view(parser.get()[http::field::origin]));
    if (match.needs_key && !has_key(parser)) {
      const SimpleAnswer refusal{401};
      co_return co_await answer_unread(parser, refusal);
    }
    const bool is_json = is_json_type(to_view(parser.get()[http::field::content_type]));
    if (match.has_body() && !is_json) {
      const SimpleAnswer refusal = make_body_refusal(ErrorType::body_content_type);
      co_return co_await answer_unread(parser, refusal);
    }
    if (!ec) ec = co_await stream_.read_body(parser);
    if (ec == http::error::body_limit) {
      const SimpleAnswer refusal = make_body_refusal(ErrorType::body_too_large);
      co_return co_await answer_unread(parser, refusal);
    }
    if (ec) co_return co_await answer_unreadable(ec);
    // A request that came in one piece arrived when the kernel says; of one in pieces, only the last read tells. (How
    // long the body is may be asked only of a head that was accepted, and chunks do not say.)
    const bool in_one_piece = !parser.chunked() && head_bytes + parser.content_length().value_or(0) <= first_bytes_;
    const TimePoint received = in_one_piece && arrived_ ? *arrived_ : Clock::now();
    stream_.clear_deadline();
    co_await service_.turns.wait_turn();
    if (match.target == Target::generation) co_return co_await generate(match.route, parser, received);
    if (match.target == Target::tokens) co_return co_await tokenize(match.route, parser);
    const SimpleAnswer simple = make_simple_answer(service_, face_, match);
    co_return co_await answer(parser, simple);
  }

  /// Waits for the next request and reads what is there of it. An end or an error is left to the parser's read to find.
  asio::awaitable<void> read_first_bytes() {
    arrived_.reset();
    first_bytes_ = 0;
    while (stream_.buffer().size() == 0) {
      const auto [ec] = co_await stream_.socket().async_wait(tcp::socket::wait_read, kToken);
      if (ec) co_return;
      const auto space = stream_.buffer().prepare(kFirstReadBytes);
      const StampedRead read = receive_stamped(stream_.socket().native_handle(), space.data(), space.size());
      if (read.bytes < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (read.bytes <= 0) co_return;
      first_bytes_ = static_cast<std::size_t>(read.bytes);
      stream_.buffer().commit(first_bytes_);
      arrived_ = read.arrived;
    }
  }

  bool has_key(const RequestParser& parser) const {
    return is_authorized(service_.options.api_key, find_header(parser, "authorization"));
  }

  Persistence persistence_of(const RequestParser& parser) const {
    if (service_.reception.is_draining() || !parser.get().keep_alive()) return Persistence::close;
    return parser.get().version() < 11 ? Persistence::keep_stated : Persistence::keep;
  }

  asio::awaitable<bool> answer(const RequestParser& parser, const SimpleAnswer& simple) {
    const Persistence persistence = persistence_of(parser);
    const BodyPart part = parser.get().method() == http::verb::head ? BodyPart::left_out : BodyPart::shown;
    const std::string bytes = to_bytes(simple, part, persistence, allow_origin_);
    const bool is_sent = co_await stream_.send(bytes);
    co_return is_sent&& persistence != Persistence::close;
  }

  SimpleAnswer make_body_refusal(ErrorType type) {
    face_.count([type](ServerMetrics& m) { m.on_unread(type); });
    return make_error_answer({type, type == ErrorType::body_too_large
                                        ? "Failed to buffer the request body: length limit exceeded"
                                        : "Expected request with `Content-Type: application/json`"});
  }

  /// The head is fine and the body is not wanted: answers, lets the client finish sending, closes.
  asio::awaitable<bool> answer_unread(const RequestParser& parser, const SimpleAnswer& refusal) {
    // A head whose body is over the limit does not count as done.
    const bool has_no_body = parser.is_header_done() && !parser.chunked() && parser.content_length().value_or(0) == 0;
    if (has_no_body) co_return co_await answer(parser, refusal);
    const std::string bytes = to_bytes(refusal, BodyPart::shown, Persistence::close, allow_origin_);
    const bool is_sent = co_await stream_.send(bytes);
    if (is_sent && !parser.is_done()) co_await stream_.linger();
    co_return false;
  }

  /// What was read is not a request. An end of the stream or our own deadline needs no answer.
  asio::awaitable<bool> answer_unreadable(error_code ec) {
    const auto status = status_of_unreadable(ec);
    if (!status) co_return false;
    ResponseHead head(*status);
    head.header("content-length", std::uint64_t{0});
    const std::string bytes = std::move(head).finish(Persistence::close, allow_origin_);
    const bool is_sent = co_await stream_.send(bytes);
    if (is_sent) co_await stream_.linger();
    co_return false;
  }

  Result<RequestFacts, Error> read_facts(Route route, const RequestParser& parser, TimePoint received) const {
    RequestFacts facts{.route = route, .received = received};
    facts.persistence = persistence_of(parser);
    facts.framing = parser.get().version() < 11 ? Framing::plain : Framing::chunked;
    facts.allow_origin = allow_origin_;
    const auto find = [&parser](std::string_view name) { return find_header(parser, name); };
    const auto read = read_headers(find, service_.validator.limits().dialect, facts);
    if (!read) return read.error();
    return facts;
  }

  asio::awaitable<bool> generate(Route route, const RequestParser& parser, TimePoint received) {
    auto request = read_request(route, parser.get().body(), service_.validator.limits().dialect);
    if (!request) co_return co_await answer_misread(parser, request.error());
    auto facts = read_facts(route, parser, received);
    if (!facts) co_return co_await answer_misread(parser, facts.error());
    answer_ = std::make_shared<Answer>(service_, face_, stream_.shared_socket(), std::move(*facts), [this] { wake(); });
    answer_->start(std::move(*request));
    co_await watch_client();
    // An end of the stream is told once: a further read would wait for another.
    const bool can_continue = answer_->can_continue() && !has_client_left_;
    answer_.reset();
    co_return can_continue;
  }

  asio::awaitable<bool> answer_misread(const RequestParser& parser, const Error& error) {
    face_.count([&](ServerMetrics& m) { m.on_unread(error.type); });
    const SimpleAnswer refusal = make_error_answer(error);
    co_return co_await answer(parser, refusal);
  }

  /// /tokenize and /chat_tokenize: no permit, no limits but that of the body. Long texts go to the pool.
  asio::awaitable<bool> tokenize(Route route, const RequestParser& parser) {
    auto request = read_request(route, parser.get().body(), service_.validator.limits().dialect);
    if (!request) co_return co_await answer_misread(parser, request.error());
    if (route == Route::chat_tokenize) face_.count([](ServerMetrics& m) { m.on_request(); });
    auto prepared = service_.validator.prepare(std::move(*request), face_.only_model);
    if (!prepared) {
      face_.count([&](ServerMetrics& m) { m.on_refused(prepared.error().type); });
      const SimpleAnswer refusal = make_error_answer(prepared.error());
      co_return co_await answer(parser, refusal);
    }
    SimpleAnswer tokens{200, "application/json"};
    const auto work = [&] {
      const GenerateRequest& wanted = prepared->front();
      tokens.body = make_token_list(service_.models[wanted.model_index], wanted);
    };
    if (prepared->front().inputs.size() > service_.options.inline_validation_bytes) {
      co_await run_on_pool(work);
    } else {
      work();
    }
    co_return co_await answer(parser, tokens);
  }

  /// Suspends this connection while `work` runs on the validation pool.
  asio::awaitable<void> run_on_pool(std::function<void()> work) {
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
        [this, &work](auto resume) {
          auto shared = std::make_shared<decltype(resume)>(std::move(resume));
          service_.pool.run(std::move(work), [shared] { std::move (*shared)(); });
        },
        asio::use_awaitable);
  }

  /// Waits for the generation to end while looking out for the client leaving. A next request sent meanwhile is kept.
  asio::awaitable<void> watch_client() {
    while (!answer_->is_done()) {
      if (stream_.is_full()) {
        done_.expires_at(TimePoint::max());
        co_await done_.async_wait(kToken);
        continue;
      }
      const error_code ec = co_await stream_.read_ahead();
      if (!ec) continue;
      if (ec != asio::error::operation_aborted) has_client_left_ = true;
      if (!answer_->is_done()) answer_->abandon("client_gone");
    }
  }

  /// The generation is done: nothing of its own is pending on the socket, so only `watch_client` is woken.
  void wake() {
    error_code ignored;
    stream_.socket().cancel(ignored);
    done_.cancel();
  }

  void close() {
    stream_.close();
    done_.cancel();
  }

  Service& service_;
  Face& face_;
  RequestStream stream_;
  asio::steady_timer done_;
  std::shared_ptr<Answer> answer_;
  std::string allow_origin_ = "*";
  std::size_t first_bytes_ = 0;       ///< what the first read of a request brought
  std::optional<TimePoint> arrived_;  ///< and when that had arrived
  bool is_idle_ = false;
  bool has_client_left_ = false;  ///< the stream ended, or broke, while a generation was under way
};

}  // namespace

std::shared_ptr<Connection> make_http_connection(Service& service, Face& face, tcp::socket socket) {
  return std::make_shared<HttpConnection>(service, face, std::move(socket));
}

}  // namespace refserver
