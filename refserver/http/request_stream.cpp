// (g++ 12 destroys class temporaries in co_await expressions twice: they get names here.)
#include "refserver/http/request_stream.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>

namespace refserver {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadAheadBytes = 64 * 1024;
/// How much of an unwanted body is read so that the client gets to see the answer before the connection closes.
constexpr std::size_t kLingerBytes = 16 * 1024 * 1024;
constexpr std::chrono::seconds kLingerTime{2};

}  // namespace

std::optional<std::string_view> find_header(const RequestParser& parser, std::string_view name) {
  const auto found = parser.get().find(beast::string_view(name.data(), name.size()));
  if (found == parser.get().end()) return std::nullopt;
  return to_view(found->value());
}

std::optional<int> status_of_unreadable(error_code ec) {
  const bool is_syntax = ec.category() == make_error_code(http::error::bad_method).category() &&
                         ec != http::error::end_of_stream && ec != http::error::partial_message;
  if (!is_syntax) return std::nullopt;
  return ec == http::error::header_limit || ec == http::error::buffer_overflow ? 431 : 400;
}

RequestStream::RequestStream(Socket socket, const StreamLimits& limits)
    : limits_(limits),
      socket_(std::make_shared<Socket>(std::move(socket))),
      buffer_(limits.header_bytes + kReadAheadBytes) {
  error_code ignored;
  socket_->set_option(tcp::no_delay(true), ignored);
}

asio::awaitable<error_code> RequestStream::read_head(RequestParser& parser, std::size_t& bytes) {
  parser.header_limit(limits_.header_bytes);
  parser.body_limit(limits_.body_bytes);
  const auto [ec, read] = co_await http::async_read_header(*socket_, buffer_, parser, kToken);
  bytes = read;
  co_return ec;
}

asio::awaitable<error_code> RequestStream::read_body(RequestParser& parser) {
  set_deadline(limits_.read_timeout);
  if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    const auto [ec, bytes] = co_await asio::async_write(*socket_, asio::buffer(kContinue), kToken);
    if (ec) co_return ec;
  }
  if (parser.is_done()) co_return error_code();
  const auto [ec, bytes] = co_await http::async_read(*socket_, buffer_, parser, kToken);
  co_return ec;
}

bool RequestStream::is_full() const {
  return buffer_.size() >= kReadAheadBytes;
}

asio::awaitable<error_code> RequestStream::read_ahead() {
  const auto [ec, bytes] = co_await socket_->async_read_some(buffer_.prepare(4096), kToken);
  if (!ec) buffer_.commit(bytes);
  co_return ec;
}

asio::awaitable<bool> RequestStream::send(const std::string& bytes) {
  set_deadline(limits_.write_timeout);
  const auto [ec, written] = co_await asio::async_write(*socket_, asio::buffer(bytes), kToken);
  clear_deadline();
  co_return !ec;
}

asio::awaitable<void> RequestStream::linger() {
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

void RequestStream::close() {
  error_code ignored;
  socket_->shutdown(tcp::socket::shutdown_both, ignored);
  socket_->close(ignored);
}

}  // namespace refserver
