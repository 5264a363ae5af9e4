// Every limit of the HTTP side in one place. Plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "refserver/api/chunking.hpp"

namespace refserver {

/// A port on which one model looks like a TGI of its own.
struct ModelPort {
  std::size_t model = 0;  ///< index into the models
  std::uint16_t port = 0;
};

struct HttpOptions {
  std::string host = "127.0.0.1";  ///< an IP address literal
  std::uint16_t port = 3000;       ///< 0: the system picks one
  std::vector<ModelPort> model_ports;
  std::uint32_t max_concurrent_requests = 128;
  std::string compute_type = "cpu+simulated";     ///< the x-compute-type header
  std::string api_key;                            ///< empty: everyone may ask
  std::vector<std::string> cors_allowed_origins;  ///< empty: any

  std::optional<Chunking> chunking;  ///< how streams are cut where the client does not say; empty: an event per token

  bool has_json_logs = false;  ///< a line on stderr for every generation that ended

  std::uint32_t validation_workers = 2;             ///< threads that tokenise long prompts
  std::size_t inline_validation_bytes = 16 * 1024;  ///< prompts up to this are tokenised on the I/O thread

  std::size_t body_limit_bytes = 2'000'000;
  std::uint32_t header_limit_bytes = 64 * 1024;
  std::size_t max_connections = 16'384;
  std::size_t stream_backlog_bytes = 1024 * 1024;  ///< of one stream, waiting for a slow reader

  std::chrono::milliseconds idle_timeout{120'000};        ///< a connection without a complete request head
  std::chrono::milliseconds read_timeout{30'000};         ///< from the head to the last byte of the body
  std::chrono::milliseconds write_timeout{30'000};        ///< a write that the client does not take
  std::chrono::milliseconds keep_alive_interval{15'000};  ///< a comment on streams that are silent for this long
  std::chrono::milliseconds graceful_termination_timeout{90'000};
  std::chrono::milliseconds stuck_engine_timeout{30'000};  ///< an engine step longer than this makes /health say 503
  std::chrono::milliseconds sweep_interval{250};           ///< how often all of these are looked at
};

}  // namespace refserver
