// Test support: a server with the simulated engine on a loopback port, and a plain blocking client.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "refserver/http/server.hpp"
#include "refserver/schedule/engine_loop.hpp"
#include "refserver/tests/pipeline.hpp"

namespace refserver {

/// Fast by default: first token after 1 ms, then one every 100 us.
struct TestServer {
  explicit TestServer(HttpOptions options = {},
                      TestTiming timing = {std::chrono::milliseconds(1), std::chrono::microseconds(100)},
                      TruthLog* truth_log = nullptr, RequestLimits limits = {}, const SchedulerSettings& settings = {},
                      std::optional<FaultPlan> faults = std::nullopt)
      : work(options.max_concurrent_requests),
        runtimes(test_runtimes(timing, settings, options.max_concurrent_requests)),
        server(prepared(options),
               ServerParts{test_models(), limits, work, tokens, &board, truth_log, std::nullopt, std::move(faults)}),
        loop({on_device(runtimes), work, tokens, &board, &server.meter(), server.model_meters()}),
        thread([this] { server.run(); }) {}
  ~TestServer() { stop(); }

  /// Stops and waits until everything has ended.
  void stop() {
    if (!thread.joinable()) return;
    server.stop();
    thread.join();
  }

  static HttpOptions prepared(HttpOptions options) {
    options.port = 0;
    options.sweep_interval = std::chrono::milliseconds(5);
    return options;
  }

  WorkQueue work;
  TokenQueue tokens;
  EngineBoard board;
  std::vector<ModelRuntime> runtimes;
  Server server;
  EngineLoop loop;
  std::thread thread;
};

/// Blocking, with a minute of patience: a test never hangs.
class TestClient {
 public:
  explicit TestClient(TestServer& server, int receive_buffer = 0) : TestClient(server.server.port(), receive_buffer) {}
  explicit TestClient(std::uint16_t port, int receive_buffer = 0) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval patience{60, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (receive_buffer > 0) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // The sockets API takes every kind of address through this one type.
    EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ~TestClient() { close(); }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void finish_sending() { ::shutdown(fd_, SHUT_WR); }

  /// False if the server has closed the connection.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  /// Reads up to and including `end`; shorter if the connection closes or patience runs out.
  std::string read_until(std::string_view end) {
    for (;;) {
      if (const std::size_t at = buffer_.find(end); at != std::string::npos) return take(at + end.size());
      if (!receive()) return take(buffer_.size());
    }
  }
  std::string read_exactly(std::size_t bytes) {
    while (buffer_.size() < bytes && receive()) {
    }
    return take(std::min(bytes, buffer_.size()));
  }
  std::string read_to_end() {
    while (receive()) {
    }
    return take(buffer_.size());
  }
  /// True once the server has closed; anything read before is dropped.
  bool is_closed_by_server() {
    while (receive()) {
    }
    return was_closed_;
  }

  /// True once reading has met a reset, not an orderly end.
  bool was_reset() const { return was_reset_; }

  struct Reply {
    int status = 0;
    std::string head;
    std::string body;
  };
  /// One response: body by content-length, or chunked with the chunks joined.
  Reply read_answer() {
    Reply answer;
    answer.head = read_until("\r\n\r\n");
    if (answer.head.size() < 12) return answer;
    answer.status = std::stoi(answer.head.substr(9, 3));
    if (const std::size_t at = answer.head.find("content-length: "); at != std::string::npos) {
      answer.body = read_exactly(std::stoul(answer.head.substr(at + 16)));
    } else if (answer.head.find("transfer-encoding: chunked") != std::string::npos) {
      for (;;) {
        const std::string size_line = read_until("\r\n");
        if (size_line.size() < 3) return answer;
        const std::size_t size = std::stoul(size_line, nullptr, 16);
        const std::string chunk = read_exactly(size + 2);
        if (size == 0 || chunk.size() < size + 2) break;
        answer.body += chunk.substr(0, size);
      }
    }
    return answer;
  }

  Reply post(std::string_view path, const std::string& body) {
    send(request(path, body));
    return read_answer();
  }
  Reply get(const std::string& path) {
    send("GET " + path + " HTTP/1.1\r\nhost: test\r\n\r\n");
    return read_answer();
  }

  static std::string request(std::string_view path, const std::string& body, const std::string& headers = "") {
    return "POST " + std::string(path) + " HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n" + headers +
           "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

 private:
  bool receive() {
    char bytes[16384];
    const ssize_t n = ::recv(fd_, bytes, sizeof bytes, 0);
    was_reset_ = was_reset_ || (n < 0 && errno == ECONNRESET);
    if (n == 0 || was_reset_) was_closed_ = true;
    if (n <= 0) return false;
    buffer_.append(bytes, static_cast<std::size_t>(n));
    return true;
  }
  std::string take(std::size_t bytes) {
    std::string out = buffer_.substr(0, bytes);
    buffer_.erase(0, bytes);
    return out;
  }

  int fd_;
  std::string buffer_;
  bool was_closed_ = false;
  bool was_reset_ = false;
};

/// The value of a line of /metrics, such as `tgi_request_failure{err="dropped"}`.
inline double metric(TestServer& server, const std::string& name) {
  const std::string page = "\n" + TestClient(server).get("/metrics").body;
  const std::size_t at = page.find("\n" + name + " ");
  EXPECT_NE(at, std::string::npos) << name;
  return at == std::string::npos ? -1 : std::stod(page.substr(at + name.size() + 2));
}

/// Asks again until the metric has the value; false after a minute.
inline bool reaches(TestServer& server, const std::string& name, double value) {
  const auto give_up = Clock::now() + std::chrono::seconds(60);
  while (Clock::now() < give_up) {
    if (metric(server, name) == value) return true;
  }
  return false;
}

}  // namespace refserver
