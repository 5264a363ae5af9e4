// Every limit of the gateway in one place. Plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "refserver/http/statsd_meter.hpp"

namespace refserver {

struct GatewayOptions {
  std::string host = "127.0.0.1";  ///< an IP address literal
  std::uint16_t port = 8000;       ///< 0: the system picks one

  StatsdOptions statsd;  ///< where requests are told of

  std::size_t max_connections = 1024;      ///< of clients; more are closed at once
  std::size_t max_backend_requests = 128;  ///< that one backend has at once; more get 429

  std::size_t body_limit_bytes = 2'000'000;
  std::uint32_t header_limit_bytes = 64 * 1024;
  std::size_t answer_limit_bytes = 64 * 1024 * 1024;  ///< an answer that has to be read whole: /v1/generate unstreamed

  std::chrono::milliseconds connect_timeout{3'000};
  std::chrono::milliseconds backend_timeout{300'000};  ///< a backend that sends nothing for this long
  std::chrono::milliseconds idle_timeout{120'000};     ///< a client's connection without a complete request head
  std::chrono::milliseconds read_timeout{30'000};      ///< from the head to the last byte of the body
  std::chrono::milliseconds write_timeout{30'000};     ///< a client that takes nothing
  std::chrono::milliseconds probe_interval{2'000};     ///< how often each backend's /health is asked
  std::chrono::milliseconds probe_timeout{2'000};
  std::chrono::milliseconds graceful_termination_timeout{90'000};
  std::chrono::milliseconds sweep_interval{100};  ///< how often deadlines are looked at
};

}  // namespace refserver
