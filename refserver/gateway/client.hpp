// One client of the gateway: reads its requests one after the other, finds the way of each, passes answers on.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <vector>

#include "refserver/gateway/backend.hpp"
#include "refserver/gateway/gateway_metrics.hpp"
#include "refserver/gateway/options.hpp"
#include "refserver/http/connection.hpp"

namespace refserver {

class Reception;

/// What clients share. Owned by the gateway; I/O thread only.
struct GatewayState {
  GatewayState(GatewayOptions limits, std::vector<Backend> all)
      : options(std::move(limits)), backends(std::move(all)), metrics(backends) {}

  GatewayOptions options;
  std::vector<Backend> backends;  ///< fixed after start
  GatewayMetrics metrics;
};

/// The connection is with `reception` for as long as it lives.
std::shared_ptr<Connection> make_gateway_client(GatewayState& state, Reception& reception,
                                                boost::asio::ip::tcp::socket socket);

}  // namespace refserver
