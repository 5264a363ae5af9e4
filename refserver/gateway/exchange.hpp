// One request at a backend: a connection of its own, the request written once, the answer passed to the client as it
// comes. Nothing is tried twice.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "refserver/gateway/backend.hpp"
#include "refserver/gateway/event_stream.hpp"
#include "refserver/gateway/options.hpp"
#include "refserver/gateway/outcome.hpp"

namespace refserver {

/// What is sent, and what is to become of the answer.
struct BackendRequest {
  enum class Answer : std::uint8_t { as_it_is, scenario, scenario_stream };
  std::size_t backend = 0;
  std::string bytes;  ///< head and body
  Answer answer = Answer::as_it_is;
  bool wants_details = false;
  bool is_head = false;            ///< the answer has no body
  bool can_be_chunked = true;      ///< the client speaks HTTP/1.1
  bool closes_afterwards = false;  ///< the client's connection ends with this answer
};

/// How it went.
struct ExchangeEnd {
  Outcome outcome = Outcome::backend_broken;
  bool has_begun = false;    ///< bytes of an answer went to the client
  bool can_continue = true;  ///< the client's connection can take a further request
  TokenTally tokens{};
  std::optional<std::chrono::steady_clock::time_point> first_byte{};
};

class Exchange {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using TimePoint = std::chrono::steady_clock::time_point;

  Exchange(const GatewayOptions& options, const Backend& backend, Socket& client);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  /// Never throws. `request` must live until it returns.
  boost::asio::awaitable<ExchangeEnd> run(const BackendRequest& request);
  /// Ends what waits for too long.
  void on_tick(TimePoint now);
  /// The client is not there any more: closes the backend's connection.
  void abandon();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace refserver
