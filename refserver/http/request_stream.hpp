// The socket of one client as the server and the gateway read and write it: requests in, whole answers out, and the
// deadline of what is waited for. The one header of ours with Beast in it, for the two kinds of connections alone.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace refserver {

/// A request while and after it is read.
using RequestParser = boost::beast::http::request_parser<boost::beast::http::string_body>;

inline std::string_view to_view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

/// The value of a header; empty if there is none.
std::optional<std::string_view> find_header(const RequestParser& parser, std::string_view name);

/// What to answer where no request could be read: 400, or 431 for a head that is too long. Empty if no answer is
/// wanted: the client has left, or a deadline of ours has passed.
std::optional<int> status_of_unreadable(boost::system::error_code ec);

struct StreamLimits {
  std::size_t body_bytes = 0;
  std::uint32_t header_bytes = 0;
  std::chrono::milliseconds read_timeout{};   ///< from the head to the last byte of the body
  std::chrono::milliseconds write_timeout{};  ///< of a whole answer
};

/// I/O thread only. A deadline that passes closes the socket, which ends whatever is waited for.
class RequestStream {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using TimePoint = std::chrono::steady_clock::time_point;

  RequestStream(Socket socket, const StreamLimits& limits);

  const std::shared_ptr<Socket>& shared_socket() const { return socket_; }
  Socket& socket() { return *socket_; }
  /// What was read and is not part of a request yet.
  boost::beast::flat_buffer& buffer() { return buffer_; }

  /// Reads a head; `parser` is as constructed. The deadline is the caller's to set. Gives the bytes of the head.
  boost::asio::awaitable<boost::system::error_code> read_head(RequestParser& parser, std::size_t& bytes);
  /// Reads the body of a head that was read; says "100 Continue" first to a client that waits for it.
  boost::asio::awaitable<boost::system::error_code> read_body(RequestParser& parser);
  /// True once so much was read ahead that no more should be.
  bool is_full() const;
  /// One read of what the client sends while its request is worked on, which is kept. It ends with an error when the
  /// client leaves.
  boost::asio::awaitable<boost::system::error_code> read_ahead();
  /// Writes an answer; false if the client did not take it.
  boost::asio::awaitable<bool> send(const std::string& bytes);
  /// Before closing with bytes unread, which would reset the connection and could take the answer with it: reads them,
  /// up to 16 MiB and for 2 seconds.
  boost::asio::awaitable<void> linger();

  void set_deadline(std::chrono::milliseconds timeout) { deadline_ = std::chrono::steady_clock::now() + timeout; }
  void clear_deadline() { deadline_.reset(); }
  bool is_overdue(TimePoint now) const { return deadline_ && now >= *deadline_; }
  void close();

 private:
  StreamLimits limits_;
  std::shared_ptr<Socket> socket_;
  boost::beast::flat_buffer buffer_;
  std::optional<TimePoint> deadline_;
};

}  // namespace refserver
