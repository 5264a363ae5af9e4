// The only file that knows Beast. (g++ 12 destroys class temporaries in co_await expressions twice: they get names
// here.) A connection is a loop: head, body, answer; the deadline of each phase is looked at by the server's sweep, so
// that no phase needs a timer of its own.
#include "refserver/http/connection.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <charconv>

#include "refserver/api/read_request.hpp"
#include "refserver/api/token_list.hpp"
#include "refserver/http/access.hpp"
#include "refserver/http/answer.hpp"
#include "refserver/http/arrival.hpp"
#include "refserver/http/request_head.hpp"
#include "refserver/http/route_table.hpp"
#include "refserver/http/simple_answer.hpp"
#include "refserver/http/turnstile.hpp"
#include "refserver/http/validation_pool.hpp"

namespace refserver {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadAheadBytes = 64 * 1024;
constexpr std::size_t kFirstReadBytes = 16 * 1024;
/// How much of an unwanted body is read so that the client gets to see the answer before the connection closes.
constexpr std::size_t kLingerBytes = 16 * 1024 * 1024;
constexpr std::chrono::seconds kLingerTime{2};

using Parser = http::request_parser<http::string_body>;

std::string_view to_view(beast::string_view text) {
  return {text.data(), text.size()};
}

std::optional<std::string_view> find_header(const Parser& parser, beast::string_view name) {
  const auto found = parser.get().find(name);
  if (found == parser.get().end()) return std::nullopt;
  return to_view(found->value());
}

std::optional<std::string> read_id(const Parser& parser, beast::string_view name) {
  const auto value = find_header(parser, name);
  if (!value) return std::nullopt;
  return make_printable_id(*value);
}

/// Empty if the priority is not a number from 0 to 255.
std::optional<Standing> read_standing(const Parser& parser) {
  Standing standing{read_id(parser, "x-plumbline-tenant").value_or("")};
  const auto priority = find_header(parser, "x-plumbline-priority");
  if (!priority) return standing;
  const char* const end = priority->data() + priority->size();
  const auto [at, ec] = std::from_chars(priority->data(), end, standing.priority);
  if (ec != std::errc() || at != end) return std::nullopt;
  return standing;
}

class HttpConnection final : public Connection, public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(Service& service, Face& face, tcp::socket socket)
      : service_(service),
        face_(face),
        socket_(std::make_shared<tcp::socket>(std::move(socket))),
        done_(socket_->get_executor()),
        buffer_(service.options.header_limit_bytes + kReadAheadBytes) {
    error_code ignored;
    socket_->set_option(tcp::no_delay(true), ignored);
    socket_->non_blocking(true, ignored);
    enable_arrival_stamps(socket_->native_handle());
    service_.connections.insert(this);
    service_.metrics.set_connections(service_.connections.size());
  }
  ~HttpConnection() override {
    service_.connections.erase(this);
    service_.metrics.set_connections(service_.connections.size());
  }

  asio::awaitable<void> run() override {
    // Suspended frames refer to this object; it must outlive them.
    const auto self = shared_from_this();
    while (!service_.is_draining && co_await serve_one()) {
    }
    error_code ignored;
    socket_->shutdown(tcp::socket::shutdown_both, ignored);
    socket_->close(ignored);
  }

  void on_tick(TimePoint now) override {
    if (answer_) answer_->on_tick(now);
    if (deadline_ && now >= *deadline_) close();
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
    Parser parser;
    parser.header_limit(service_.options.header_limit_bytes);
    parser.body_limit(service_.options.body_limit_bytes);
    is_idle_ = buffer_.size() == 0;
    set_deadline(service_.options.idle_timeout);
    co_await read_first_bytes();
    is_idle_ = buffer_.size() == 0;
    auto [ec, bytes] = co_await http::async_read_header(*socket_, buffer_, parser, kToken);
    is_idle_ = false;
    if (ec && ec != http::error::body_limit) co_return co_await answer_unreadable(ec);

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
    if (!ec) ec = co_await read_body(parser);
    if (ec == http::error::body_limit) {
      const SimpleAnswer refusal = make_body_refusal(ErrorType::body_too_large);
      co_return co_await answer_unread(parser, refusal);
    }
    if (ec) co_return co_await answer_unreadable(ec);
    // A request that came in one piece arrived when the kernel says; of one in pieces, only the last read tells. (How
    // long the body is may be asked only of a head that was accepted, and chunks do not say.)
    const bool in_one_piece = !parser.chunked() && bytes + parser.content_length().value_or(0) <= first_bytes_;
    const TimePoint received = in_one_piece && arrived_ ? *arrived_ : Clock::now();
    deadline_.reset();
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
    while (buffer_.size() == 0) {
      const auto [ec] = co_await socket_->async_wait(tcp::socket::wait_read, kToken);
      if (ec) co_return;
      const auto space = buffer_.prepare(kFirstReadBytes);
      const StampedRead read = receive_stamped(socket_->native_handle(), space.data(), space.size());
      if (read.bytes < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (read.bytes <= 0) co_return;
      first_bytes_ = static_cast<std::size_t>(read.bytes);
      buffer_.commit(first_bytes_);
      arrived_ = read.arrived;
    }
  }

  asio::awaitable<error_code> read_body(Parser& parser) {
    set_deadline(service_.options.read_timeout);
    if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
      static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      const auto [ec, bytes] = co_await asio::async_write(*socket_, asio::buffer(kContinue), kToken);
      if (ec) co_return ec;
    }
    if (parser.is_done()) co_return error_code();
    const auto [ec, bytes] = co_await http::async_read(*socket_, buffer_, parser, kToken);
    co_return ec;
  }

  bool has_key(const Parser& parser) const {
    return is_authorized(service_.options.api_key, find_header(parser, "authorization"));
  }

  Persistence persistence_of(const Parser& parser) const {
    if (service_.is_draining || !parser.get().keep_alive()) return Persistence::close;
    return parser.get().version() < 11 ? Persistence::keep_stated : Persistence::keep;
  }

  asio::awaitable<bool> answer(const Parser& parser, const SimpleAnswer& simple) {
    const Persistence persistence = persistence_of(parser);
    const BodyPart part = parser.get().method() == http::verb::head ? BodyPart::left_out : BodyPart::shown;
    const std::string bytes = to_bytes(simple, part, persistence, allow_origin_);
    const bool is_sent = co_await send(bytes);
    co_return is_sent&& persistence != Persistence::close;
  }

  asio::awaitable<bool> send(const std::string& bytes) {
    set_deadline(service_.options.write_timeout);
    const auto [ec, written] = co_await asio::async_write(*socket_, asio::buffer(bytes), kToken);
    deadline_.reset();
    co_return !ec;
  }

  SimpleAnswer make_body_refusal(ErrorType type) {
    face_.count([type](ServerMetrics& m) { m.on_unread(type); });
    return make_error_answer({type, type == ErrorType::body_too_large
                                        ? "Failed to buffer the request body: length limit exceeded"
                                        : "Expected request with `Content-Type: application/json`"});
  }

  /// The head is fine and the body is not wanted: answers, lets the client finish sending, closes.
  asio::awaitable<bool> answer_unread(const Parser& parser, const SimpleAnswer& refusal) {
    // A head whose body is over the limit does not count as done.
    const bool has_no_body = parser.is_header_done() && !parser.chunked() && parser.content_length().value_or(0) == 0;
    if (has_no_body) co_return co_await answer(parser, refusal);
    const std::string bytes = to_bytes(refusal, BodyPart::shown, Persistence::close, allow_origin_);
    const bool is_sent = co_await send(bytes);
    if (is_sent && !parser.is_done()) co_await linger();
    co_return false;
  }

  /// What was read is not a request. An end of the stream or our own deadline needs no answer.
  asio::awaitable<bool> answer_unreadable(error_code ec) {
    const bool is_syntax = ec.category() == make_error_code(http::error::bad_method).category() &&
                           ec != http::error::end_of_stream && ec != http::error::partial_message;
    if (!is_syntax) co_return false;
    const bool is_head = ec == http::error::header_limit || ec == http::error::buffer_overflow;
    ResponseHead head(is_head ? 431 : 400);
    head.header("content-length", std::uint64_t{0});
    const std::string bytes = std::move(head).finish(Persistence::close, allow_origin_);
    const bool is_sent = co_await send(bytes);
    if (is_sent) co_await linger();
    co_return false;
  }

  /// Closing with unread bytes would reset the connection and could take the answer with it.
  asio::awaitable<void> linger() {
    error_code ignored;
    socket_->shutdown(tcp::socket::shutdown_send, ignored);
    set_deadline(kLingerTime);
    buffer_.clear();
    for (std::size_t total = 0; total < kLingerBytes;) {
      const auto [ec, bytes] = co_await socket_->async_read_some(buffer_.prepare(kReadAheadBytes), kToken);
      if (ec) break;
      total += bytes;
    }
  }

  /// What the head says of a generation. Headers of our own are unknown in the strict dialect.
  Result<RequestFacts, Error> read_facts(Route route, const Parser& parser, TimePoint received) const {
    RequestFacts facts;
    facts.route = route;
    facts.received = received;
    facts.client_id = read_id(parser, "x-request-id");
    facts.draw_key = read_id(parser, "x-sim-key").value_or("");
    facts.persistence = persistence_of(parser);
    facts.framing = parser.get().version() < 11 ? Framing::plain : Framing::chunked;
    facts.allow_origin = allow_origin_;
    if (service_.validator.limits().dialect != Dialect::extended) return facts;

    if (const auto asked = find_header(parser, "x-plumbline-chunking")) {
      const auto chunking = parse_chunking(*asked);
      if (!chunking) return Error{ErrorType::validation, "x-plumbline-chunking: " + chunking.error()};
      facts.chunking = *chunking;
    }
    const auto standing = read_standing(parser);
    if (!standing) return Error{ErrorType::validation, "x-plumbline-priority: not a number from 0 to 255"};
    facts.standing = *standing;
    facts.wants_truth = is_switched_on(find_header(parser, "x-plumbline-truth").value_or(""));
    return facts;
  }

  asio::awaitable<bool> generate(Route route, const Parser& parser, TimePoint received) {
    auto request = read_request(route, parser.get().body(), service_.validator.limits().dialect);
    if (!request) co_return co_await answer_misread(parser, request.error());
    auto facts = read_facts(route, parser, received);
    if (!facts) co_return co_await answer_misread(parser, facts.error());
    answer_ = std::make_shared<Answer>(service_, face_, socket_, std::move(*facts), [this] { wake(); });
    answer_->start(std::move(*request));
    co_await watch_client();
    // An end of the stream is told once: a further read would wait for another.
    const bool can_continue = answer_->can_continue() && !has_client_left_;
    answer_.reset();
    co_return can_continue;
  }

  asio::awaitable<bool> answer_misread(const Parser& parser, const Error& error) {
    face_.count([&](ServerMetrics& m) { m.on_unread(error.type); });
    const SimpleAnswer refusal = make_error_answer(error);
    co_return co_await answer(parser, refusal);
  }

  /// /tokenize and /chat_tokenize: no permit, no limits but that of the body. Long texts go to the pool.
  asio::awaitable<bool> tokenize(Route route, const Parser& parser) {
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
      if (buffer_.size() >= kReadAheadBytes) {
        done_.expires_at(TimePoint::max());
        co_await done_.async_wait(kToken);
        continue;
      }
      const auto [ec, bytes] = co_await socket_->async_read_some(buffer_.prepare(4096), kToken);
      if (!ec) {
        buffer_.commit(bytes);
        continue;
      }
      if (ec != asio::error::operation_aborted) has_client_left_ = true;
      if (!answer_->is_done()) answer_->abandon("client_gone");
    }
  }

  /// The generation is done: nothing of its own is pending on the socket, so only `watch_client` is woken.
  void wake() {
    error_code ignored;
    socket_->cancel(ignored);
    done_.cancel();
  }

  void set_deadline(std::chrono::milliseconds timeout) { deadline_ = Clock::now() + timeout; }

  void close() {
    error_code ignored;
    socket_->close(ignored);
    done_.cancel();
  }

  Service& service_;
  Face& face_;
  std::shared_ptr<tcp::socket> socket_;
  asio::steady_timer done_;
  beast::flat_buffer buffer_;
  std::shared_ptr<Answer> answer_;
  std::string allow_origin_ = "*";
  std::optional<TimePoint> deadline_;
  std::size_t first_bytes_ = 0;       ///< what the first read of a request brought
  std::optional<TimePoint> arrived_;  ///< and when that had arrived
  bool is_idle_ = false;
  bool has_client_left_ = false;  ///< the stream ended, or broke, while a generation was under way
};

}  // namespace

std::shared_ptr<Connection> make_connection(Service& service, Face& face, tcp::socket socket) {
  return std::make_shared<HttpConnection>(service, face, std::move(socket));
}

}  // namespace refserver
