#include "loadgen/drive/connection_pool.hpp"

#include <utility>

namespace loadgen {

std::unique_ptr<Connection> ConnectionPool::take(std::size_t target) {
  auto& idle = idle_[target];
  if (idle.empty()) return nullptr;
  auto connection = std::move(idle.back());
  idle.pop_back();
  return connection;
}

void ConnectionPool::put_back(std::unique_ptr<Connection> connection) {
  auto& idle = idle_[connection->target()];
  connection->position = idle.size();
  idle.push_back(std::move(connection));
}

std::unique_ptr<Connection> ConnectionPool::remove(Connection& connection) {
  auto& idle = idle_[connection.target()];
  const std::size_t at = connection.position;
  std::swap(idle[at], idle.back());
  idle[at]->position = at;
  auto removed = std::move(idle.back());
  idle.pop_back();
  return removed;
}

}  // namespace loadgen
