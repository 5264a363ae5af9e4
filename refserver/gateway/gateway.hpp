// A gateway in front of TGI servers, one per model: listens, probes its backends, drains. Runs on the thread that calls
// run().
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "refserver/gateway/backend.hpp"
#include "refserver/gateway/options.hpp"

namespace refserver {

class Gateway {
 public:
  /// Binds and listens. `backends`: at least one, with different names. Throws boost::system::system_error if the
  /// address cannot be bound.
  Gateway(GatewayOptions options, std::vector<Backend> backends);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  std::uint16_t port() const;
  /// SIGTERM and SIGINT stop the gateway; a second signal cuts at once.
  void stop_on_signals();
  /// Serves until stopped and every connection has ended.
  void run();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace refserver
