// Straight down: connect, write, read a head, pass the body. One deadline at a time; a tick closes the socket that is
// waited for. (g++ 12 destroys class temporaries in co_await expressions twice: they get names here.)
#include "refserver/gateway/exchange.hpp"

#include <fmt/format.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <charconv>
#include <cstdio>

#include "refserver/gateway/head.hpp"
#include "refserver/gateway/http_get.hpp"
#include "refserver/gateway/scenario_call.hpp"

namespace refserver {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using Parser = http::response_parser<http::buffer_body>;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kPieceBytes = 16 * 1024;

std::optional<std::uint64_t> read_count(const Parser& parser, beast::string_view name) {
  const beast::string_view text = parser.get()[name];
  std::uint64_t count = 0;
  const auto [at, ec] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (text.empty() || ec != std::errc() || at != text.data() + text.size()) return std::nullopt;
  return count;
}

bool is_event_stream(const Parser& parser) {
  const beast::string_view type = parser.get()[http::field::content_type];
  return beast::iequals(type.substr(0, type.find(';')), "text/event-stream");
}

}  // namespace

class Exchange::Impl {
 public:
  Impl(const GatewayOptions& options, const Backend& backend, Socket& client)
      : options_(options),
        backend_(backend),
        client_(client),
        upstream_(client.get_executor()),
        buffer_(options.header_limit_bytes + kPieceBytes) {}

  asio::awaitable<ExchangeEnd> run(const BackendRequest& request) {
    try {
      co_await ask(request);
    } catch (const std::exception& error) {
      // Cancelled from outside while something was awaited, because the client has left; anything else is a bug.
      if (!has_client_left_) fmt::print(stderr, "refserver: internal error: {}\n", error.what());
      fail(Outcome::backend_broken);
      end_.can_continue = false;
    }
    deadline_.reset();
    close(upstream_);
    if (has_client_left_) end_.outcome = Outcome::client_gone;
    co_return end_;
  }

  void on_tick(TimePoint now) {
    if (!deadline_ || now < *deadline_) return;
    deadline_.reset();
    is_overdue_ = true;
    close(awaits_client_ ? client_ : upstream_);
  }

  void abandon() {
    has_client_left_ = true;
    close(upstream_);
  }

 private:
  static void close(Socket& socket) {
    error_code ignored;
    socket.close(ignored);
  }
  void await_backend(std::chrono::milliseconds timeout) {
    awaits_client_ = false;
    deadline_ = Clock::now() + timeout;
  }
  void await_client() {
    awaits_client_ = true;
    deadline_ = Clock::now() + options_.write_timeout;
  }
  /// The backend failed: too slow, or in the way that `otherwise` says.
  void fail(Outcome otherwise) {
    end_.outcome = is_overdue_ ? Outcome::timeout : otherwise;
    if (end_.has_begun) end_.can_continue = false;
  }

  asio::awaitable<void> ask(const BackendRequest& request) {
    const bool is_connected = co_await connect();
    if (!is_connected) co_return fail(Outcome::backend_unreachable);
    await_backend(options_.backend_timeout);
    // A backend may refuse a body before it has read it all: what it says counts, not that it took no more.
    const auto [write_error, written] = co_await asio::async_write(upstream_, asio::buffer(request.bytes), kToken);
    if (write_error && is_overdue_) co_return fail(Outcome::timeout);

    Parser parser;
    parser.header_limit(options_.header_limit_bytes);
    parser.body_limit(boost::none);
    parser.skip(request.is_head);
    const auto [ec, bytes] = co_await http::async_read_header(upstream_, buffer_, parser, kToken);
    if (ec) co_return fail(Outcome::backend_broken);
    const int status = static_cast<int>(parser.get().result_int());
    end_.tokens = {read_count(parser, "x-prompt-tokens"), read_count(parser, "x-generated-tokens")};
    const bool is_changed = request.answer != BackendRequest::Answer::as_it_is && status == 200;
    if (is_changed && !is_event_stream(parser)) {
      co_await pass_whole(request, parser);
    } else {
      co_await pass_on(request, parser, is_changed);
    }
  }

  asio::awaitable<bool> connect() {
    await_backend(options_.connect_timeout);
    Endpoints endpoints = backend_.endpoints;
    if (endpoints.empty()) {
      auto found = co_await resolve(backend_.address);
      if (!found) co_return false;
      endpoints = *std::move(found);
    }
    const auto [ec, chosen] = co_await asio::async_connect(upstream_, endpoints, kToken);
    if (ec) co_return false;
    error_code ignored;
    upstream_.set_option(tcp::no_delay(true), ignored);
    co_return true;
  }

  /// The next piece of the body; empty at its end, or with the error set.
  asio::awaitable<std::string_view> read_piece(Parser& parser, error_code& error) {
    while (!parser.is_done()) {
      auto& body = parser.get().body();
      body.data = piece_.data();
      body.size = piece_.size();
      body.more = true;
      await_backend(options_.backend_timeout);
      const auto [ec, bytes] = co_await http::async_read_some(upstream_, buffer_, parser, kToken);
      const std::size_t got = piece_.size() - parser.get().body().size;
      if (ec && ec != http::error::need_buffer) error = ec;
      if (got > 0 || error) {
        if (got > 0 && !end_.first_byte) end_.first_byte = Clock::now();
        co_return std::string_view(piece_.data(), got);
      }
    }
    co_return std::string_view();
  }

  asio::awaitable<bool> send(std::string_view bytes) {
    await_client();
    const auto [ec, written] = co_await asio::async_write(client_, asio::buffer(bytes.data(), bytes.size()), kToken);
    deadline_.reset();
    end_.has_begun = true;
    if (ec) {
      end_.outcome = Outcome::client_gone;
      end_.can_continue = false;
    }
    co_return !ec;
  }

  /// The answer piece by piece, with the backend's own head.
  asio::awaitable<void> pass_on(const BackendRequest& request, Parser& parser, bool is_changed) {
    const auto length = parser.content_length();
    const bool has_no_body = request.is_head || parser.is_done();
    BodyFraming framing = BodyFraming::until_close;
    if (length && !is_changed) {
      framing = BodyFraming::length;
    } else if (has_no_body) {
      framing = BodyFraming::none;
    } else if (request.can_be_chunked) {
      framing = BodyFraming::chunked;
    }
    const bool closes = request.closes_afterwards || framing == BodyFraming::until_close;
    const std::string head = make_client_head(parser.get().base(), framing, length.value_or(0), closes);
    end_.can_continue = !closes;
    const bool is_head_sent = co_await send(head);
    if (!is_head_sent) co_return;
    if (!request.is_head) {
      const bool is_whole = co_await pass_body(request, parser, is_changed, framing);
      if (!is_whole) co_return;
    }
    end_.outcome = outcome_of_status(static_cast<int>(parser.get().result_int()));
    if (watcher_.has_error()) end_.outcome = Outcome::model_error;
  }

  asio::awaitable<bool> pass_body(const BackendRequest& request, Parser& parser, bool is_changed, BodyFraming framing) {
    ScenarioStream changed(model_name(), request.wants_details);
    const bool is_watched = is_event_stream(parser);
    std::string out;
    error_code error;
    while (!parser.is_done() && !error) {
      const std::string_view piece = co_await read_piece(parser, error);
      if (is_watched) watch(piece);
      out.clear();
      if (!is_changed) {
        out = piece;
      } else if (!changed.rewrite(piece, out)) {
        fail(Outcome::backend_broken);
        co_return false;
      }
      if (parser.is_done() && is_changed) out += changed.rest();
      if (framing == BodyFraming::chunked) frame(out, parser.is_done() && !error);
      if (out.empty()) continue;
      const bool is_sent = co_await send(out);
      if (!is_sent) co_return false;
    }
    if (error) fail(Outcome::backend_broken);
    co_return !error;
  }

  /// One HTTP chunk, and the last one when the body has ended.
  static void frame(std::string& out, bool is_last) {
    if (!out.empty()) out = fmt::format("{:x}\r\n{}\r\n", out.size(), out);
    if (is_last) out += "0\r\n\r\n";
  }

  void watch(std::string_view piece) {
    watcher_.see(piece);
    end_.tokens = watcher_.tally();
  }

  /// An answer of /generate: read whole, then written as /v1/generate gives it.
  asio::awaitable<void> pass_whole(const BackendRequest& request, Parser& parser) {
    std::string body;
    error_code error;
    while (!parser.is_done() && !error && body.size() <= options_.answer_limit_bytes) {
      const std::string_view piece = co_await read_piece(parser, error);
      body += piece;
    }
    const auto changed = make_scenario_answer(body, model_name(), request.wants_details);
    if (error || !parser.is_done() || !changed) co_return fail(Outcome::backend_broken);
    const std::string head =
        make_client_head(parser.get().base(), BodyFraming::length, changed->size(), request.closes_afterwards);
    end_.can_continue = !request.closes_afterwards;
    const std::string bytes = head + *changed;
    const bool is_sent = co_await send(bytes);
    if (is_sent) end_.outcome = Outcome::ok;
  }

  std::string model_name() const { return backend_.served_name.empty() ? backend_.address.name : backend_.served_name; }

  const GatewayOptions& options_;
  const Backend& backend_;
  Socket& client_;
  Socket upstream_;
  beast::flat_buffer buffer_;
  std::array<char, kPieceBytes> piece_{};
  StreamWatcher watcher_;
  ExchangeEnd end_;
  std::optional<TimePoint> deadline_;
  bool awaits_client_ = false;
  bool is_overdue_ = false;
  bool has_client_left_ = false;
};

Exchange::Exchange(const GatewayOptions& options, const Backend& backend, Socket& client)
    : impl_(std::make_unique<Impl>(options, backend, client)) {}
Exchange::~Exchange() = default;
asio::awaitable<ExchangeEnd> Exchange::run(const BackendRequest& request) {
  return impl_->run(request);
}
void Exchange::on_tick(TimePoint now) {
  impl_->on_tick(now);
}
void Exchange::abandon() {
  impl_->abandon();
}

}  // namespace refserver
