// An HTTP server on loopback that answers by a script: what a real InfluxDB does only when it is in trouble.
// One connection at a time, as our one writer uses; knows just enough HTTP for requests with a Content-Length.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace exporters {

struct StubRequest {
  std::string head;  ///< request line and headers
  std::string body;
};

class StubServer {
 public:
  enum class Kind : std::uint8_t {
    answer,   ///< send `text` whole and keep the connection
    refuse,   ///< read the head only, send `text`, close: a body that is too large
    reset,    ///< send `text` (possibly nothing or half an answer) and reset the connection
    silence,  ///< never answer; ends when the client goes away
  };
  struct Step {
    Kind kind = Kind::answer;
    std::string text;
  };

  /// Plays the steps in order, one per request; then every request is answered with 204.
  explicit StubServer(std::deque<Step> script);
  ~StubServer();
  StubServer(const StubServer&) = delete;
  StubServer& operator=(const StubServer&) = delete;

  std::uint16_t port() const noexcept { return port_; }
  std::vector<StubRequest> requests() const;

  /// A whole answer; `headers` end with \r\n each.
  static Step status(int code, const std::string& body = "", const std::string& headers = "");

 private:
  void run();
  void serve(int connection);
  bool read_head(int connection, std::string& buffered, StubRequest& request) const;
  bool read_body(int connection, std::string& buffered, StubRequest& request) const;
  bool receive(int connection, std::string& buffered) const;
  bool act(int connection, const Step& step) const;
  Step next_step();

  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::deque<Step> script_;
  std::vector<StubRequest> requests_;
  std::thread thread_;
};

}  // namespace exporters
