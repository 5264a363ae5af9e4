// One client of the gateway: reads its requests one after the other, finds the way of each, passes answers on.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <memory>
#include <unordered_set>
#include <vector>

#include "refserver/gateway/backend.hpp"
#include "refserver/gateway/gateway_metrics.hpp"
#include "refserver/gateway/options.hpp"

namespace refserver {

class GatewayClient;

/// What clients share. Owned by the gateway; I/O thread only.
struct GatewayState {
  GatewayState(GatewayOptions limits, std::vector<Backend> all)
      : options(std::move(limits)), backends(std::move(all)), metrics(backends) {}

  GatewayOptions options;
  std::vector<Backend> backends;  ///< fixed after start
  GatewayMetrics metrics;
  std::unordered_set<GatewayClient*> clients{};
  bool is_draining = false;  ///< finish what runs, take nothing new
};

class GatewayClient {
 public:
  virtual ~GatewayClient() = default;
  /// Returns when the connection has ended.
  virtual boost::asio::awaitable<void> run() = 0;
  /// Closes what is overdue.
  virtual void on_tick(std::chrono::steady_clock::time_point now) = 0;
  /// Closes the connection if no request is under way.
  virtual void drain() = 0;
  /// Closes everything now.
  virtual void cut() = 0;
};

std::shared_ptr<GatewayClient> make_gateway_client(GatewayState& state, boost::asio::ip::tcp::socket socket);

}  // namespace refserver
