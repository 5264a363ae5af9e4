// The deadline closes the socket under whatever waits for it.
#include "refserver/gateway/http_get.hpp"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

namespace refserver {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kBodyLimit = 1U << 20U;

asio::awaitable<Result<HttpReply>> ask(tcp::socket& socket, const Endpoints& endpoints, const std::string& request) {
  const auto [connect_error, chosen] = co_await asio::async_connect(socket, endpoints, kToken);
  if (connect_error) co_return connect_error;
  const auto [write_error, written] = co_await asio::async_write(socket, asio::buffer(request), kToken);
  if (write_error) co_return write_error;
  boost::beast::flat_buffer buffer(kBodyLimit);
  http::response_parser<http::string_body> parser;
  parser.body_limit(kBodyLimit);
  const auto [read_error, read] = co_await http::async_read(socket, buffer, parser, kToken);
  if (read_error) co_return read_error;
  co_return HttpReply{static_cast<int>(parser.get().result_int()), std::move(parser.get().body())};
}

}  // namespace

asio::awaitable<Result<Endpoints>> resolve(const BackendAddress& address) {
  error_code not_literal;
  const auto literal = asio::ip::make_address(address.host, not_literal);
  if (!not_literal) co_return Endpoints{{literal, address.port}};
  tcp::resolver resolver(co_await asio::this_coro::executor);
  const std::string service = fmt::format("{}", address.port);
  const auto [ec, results] = co_await resolver.async_resolve(address.host, service, kToken);
  if (ec) co_return ec;
  Endpoints endpoints;
  for (const auto& entry : results) endpoints.push_back(entry.endpoint());
  co_return endpoints;
}

asio::awaitable<Result<HttpReply>> http_get(const BackendAddress& address, const Endpoints& endpoints,
                                            const std::string& path, std::chrono::milliseconds timeout) {
  const auto executor = co_await asio::this_coro::executor;
  const auto socket = std::make_shared<tcp::socket>(executor);
  const auto is_late = std::make_shared<bool>(false);
  asio::steady_timer timer(executor, timeout);
  timer.async_wait([socket, is_late](error_code ec) {
    if (ec) return;
    *is_late = true;
    socket->close(ec);
  });
  const std::string request = fmt::format("GET {} HTTP/1.1\r\nhost: {}\r\naccept: */*\r\nconnection: close\r\n\r\n",
                                          path, host_header(address));
  auto reply = co_await ask(*socket, endpoints, request);
  if (!reply && *is_late) co_return make_error_code(boost::system::errc::timed_out);
  co_return reply;
}

}  // namespace refserver
