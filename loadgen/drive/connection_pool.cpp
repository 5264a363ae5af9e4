// Last in, first out: the most recently used connection is the least likely to have been closed by the server.
#include "loadgen/drive/connection_pool.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace loadgen {
namespace {

/// An idle HTTP connection has nothing to read: end of file, an error or stray bytes all make it unusable.
bool is_still_open(Socket& socket) noexcept {
  char byte = 0;
  const ssize_t n = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace

std::unique_ptr<Connection> ConnectionPool::take(std::size_t target) {
  auto& idle = idle_[target];
  while (!idle.empty()) {
    auto connection = std::move(idle.back());
    idle.pop_back();
    if (is_still_open(connection->socket)) return connection;
  }
  return nullptr;
}

void ConnectionPool::put_back(std::size_t target, std::unique_ptr<Connection> connection) {
  idle_[target].push_back(std::move(connection));
}

void ConnectionPool::clear() noexcept {
  for (auto& idle : idle_) idle.clear();
}

Task<ErrorCode> connect(Connection& connection, Endpoint endpoint) {
  ErrorCode ec;
  connection.socket.open(endpoint.protocol(), ec);
  if (ec) co_return ec;
  std::tie(ec) = co_await connection.socket.async_connect(endpoint, as_result);
  if (ec) co_return ec;
  connection.socket.set_option(asio::ip::tcp::no_delay(true), ec);
  if (!ec) connection.socket.native_non_blocking(true, ec);
  co_return ec;
}

}  // namespace loadgen
