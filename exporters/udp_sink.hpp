// A sink that sends records as UDP datagrams: packed, paced, counted. Knows no format but that a line feed separates
// records.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "exporters/host_port.hpp"
#include "exporters/result.hpp"
#include "exporters/sink.hpp"

namespace exporters {

struct UdpSinkOptions {
  std::size_t datagram_bytes = 1432;           ///< payload that passes Ethernet in one piece
  double datagrams_per_second = 2000;          ///< unpaced, most of a burst is lost, on loopback too
  std::size_t max_queue_bytes = 4'000'000;     ///< waiting to be sent; what comes on top is dropped
  std::chrono::milliseconds drain_time{5000};  ///< how long finish() goes on sending
};

/// Resolves the name and starts the thread that sends. Nobody needs to listen yet: UDP does not say. In the account
/// `stored` means handed to the network and not refused there; `dropped` are records that did not fit into a datagram
/// or the queue, could not be sent, or went to a port where nobody listens, as far as that host says so.
Result<std::unique_ptr<Sink>, std::string> open_udp_sink(const HostPort& where, const UdpSinkOptions& options = {});

}  // namespace exporters
