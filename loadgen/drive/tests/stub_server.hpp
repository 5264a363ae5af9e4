// A server for tests: accepts on loopback or a unix socket and lets a script talk on each raw connection. One thread
// per connection.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace loadgen::testing_support {

/// One accepted connection.
class StubConnection {
 public:
  explicit StubConnection(int fd) : fd_(fd) {}

  /// Reads one whole request (head and content-length body); empty at end of file or when the test is over.
  std::string read_request(const std::atomic<bool>& stop) {
    while (!stop) {
      const auto blank = buffer_.find("\r\n\r\n");
      if (blank != std::string::npos) {
        const auto at = buffer_.find("content-length: ");
        const std::size_t body = at < blank ? std::stoul(buffer_.substr(at + 16)) : 0;
        if (buffer_.size() >= blank + 4 + body) {
          std::string request = buffer_.substr(0, blank + 4 + body);
          buffer_.erase(0, request.size());
          return request;
        }
      }
      pollfd poll{fd_, POLLIN, 0};
      if (::poll(&poll, 1, 20) == 0) continue;
      char bytes[4096];
      const ssize_t n = ::recv(fd_, bytes, sizeof bytes, 0);
      if (n <= 0) return {};
      buffer_.append(bytes, static_cast<std::size_t>(n));
    }
    return {};
  }
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  /// Reads on without looking, until the peer closes or the test is over.
  void swallow(const std::atomic<bool>& stop) {
    while (!stop) {
      pollfd poll{fd_, POLLIN, 0};
      char bytes[65536];
      if (::poll(&poll, 1, 20) > 0 && ::recv(fd_, bytes, sizeof bytes, 0) <= 0) return;
    }
  }
  /// The IPv4 address it comes from.
  std::string peer() const {
    sockaddr_in from{};
    socklen_t size = sizeof from;
    char text[INET_ADDRSTRLEN] = {};
    if (::getpeername(fd_, reinterpret_cast<sockaddr*>(&from), &size) != 0 || from.sin_family != AF_INET) return {};
    return ::inet_ntop(AF_INET, &from.sin_addr, text, sizeof text);
  }
  /// Closes so that the peer sees a reset.
  void reset() {
    const linger hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  }

 private:
  int fd_;
  std::string buffer_;
};

class StubServer {
 public:
  /// `script(connection, request)` is called for each request; false closes the connection.
  using Script = std::function<bool(StubConnection&, const std::string& request)>;

  /// On 127.0.0.1, or [::1], or a unix socket of the given path.
  explicit StubServer(Script script, int family = AF_INET, const std::string& path = {}) : script_(std::move(script)) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    storage.ss_family = static_cast<sa_family_t>(family);
    if (family == AF_INET) reinterpret_cast<sockaddr_in&>(storage).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (family == AF_INET6) reinterpret_cast<sockaddr_in6&>(storage).sin6_addr = in6addr_loopback;
    if (family == AF_UNIX) path.copy(reinterpret_cast<sockaddr_un&>(storage).sun_path, path.size());
    if (family == AF_UNIX) size = sizeof(sockaddr_un);
    auto* raw = reinterpret_cast<sockaddr*>(&storage);
    fd_ = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::bind(fd_, raw, size) != 0 || ::listen(fd_, 128) != 0 || ::getsockname(fd_, raw, &size) != 0) std::abort();
    port_ = ntohs(family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(storage).sin6_port
                                     : reinterpret_cast<sockaddr_in&>(storage).sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~StubServer() {
    stop_ = true;
    acceptor_.join();
    for (auto& thread : talkers_) thread.join();
    ::close(fd_);
  }

  std::uint16_t port() const { return port_; }
  const std::atomic<bool>& stopped() const { return stop_; }
  /// Connections that the script has closed; over loopback their peers see it from then on.
  int closed() const { return closed_; }

 private:
  void accept_all() {
    while (!stop_) {
      pollfd poll{fd_, POLLIN, 0};
      if (::poll(&poll, 1, 20) <= 0) continue;
      const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd >= 0) talkers_.emplace_back([this, fd] { talk(fd); });
    }
  }
  void talk(int fd) {
    StubConnection connection(fd);
    for (std::string request = connection.read_request(stop_); !request.empty();
         request = connection.read_request(stop_)) {
      if (!script_(connection, request)) break;
    }
    ::close(fd);
    ++closed_;
  }

  Script script_;
  int fd_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<int> closed_{0};
  std::thread acceptor_;
  std::vector<std::thread> talkers_;
};

}  // namespace loadgen::testing_support
