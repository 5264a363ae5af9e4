// Connections that carry nothing at the moment, by target. Owned by one thread. Internal to drive.
#pragma once

#include <memory>
#include <vector>

#include "loadgen/drive/connection.hpp"

namespace loadgen {

class ConnectionPool {
 public:
  explicit ConnectionPool(std::size_t targets) : idle_(targets) {}

  /// The connection used last, the least likely to have been closed by the server; null if there is none.
  std::unique_ptr<Connection> take(std::size_t target);
  void put_back(std::unique_ptr<Connection> connection);
  /// Takes out this very one.
  std::unique_ptr<Connection> remove(Connection& connection);
  std::size_t size(std::size_t target) const noexcept { return idle_[target].size(); }

 private:
  std::vector<std::vector<std::unique_ptr<Connection>>> idle_;
};

}  // namespace loadgen
