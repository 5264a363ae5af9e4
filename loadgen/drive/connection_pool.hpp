// Idle keep-alive connections of one worker, by target. Owned by one thread. Internal to drive.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "loadgen/drive/asio_types.hpp"

namespace loadgen {

/// A TCP connection and its read buffer.
struct Connection {
  explicit Connection(const Executor& executor) : socket(executor) {}
  Socket socket;
  std::array<char, 8192> buffer;
};

class ConnectionPool {
 public:
  explicit ConnectionPool(std::size_t targets) : idle_(targets) {}

  /// An idle connection that is still open, or null. Ones the server has closed meanwhile are thrown away.
  std::unique_ptr<Connection> take(std::size_t target);
  void put_back(std::size_t target, std::unique_ptr<Connection> connection);
  std::size_t idle(std::size_t target) const noexcept { return idle_[target].size(); }
  void clear() noexcept;

 private:
  std::vector<std::vector<std::unique_ptr<Connection>>> idle_;
};

/// Opens a socket to `endpoint` without delay algorithms. The socket's operations can be cut by closing it.
Task<ErrorCode> connect(Connection& connection, Endpoint endpoint);

}  // namespace loadgen
