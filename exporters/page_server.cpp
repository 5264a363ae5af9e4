#include "exporters/page_server.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace exporters {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int backlog = 64;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const noexcept { return fd_; }
  void reset() noexcept {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

struct Request {
  std::string_view method, path;
};

/// The first line of a head, without what follows a '?'; nothing if it is no HTTP/1.
std::optional<Request> read_request_line(std::string_view head) {
  const std::string_view line = head.substr(0, head.find_first_of("\r\n"));
  const std::size_t first = line.find(' ');
  const std::size_t second = line.find(' ', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return std::nullopt;
  if (!line.substr(second + 1).starts_with("HTTP/1.")) return std::nullopt;
  const std::string_view target = line.substr(first + 1, second - first - 1);
  return Request{line.substr(0, first), target.substr(0, target.find('?'))};
}

std::string answer(std::string_view status, std::string_view type, std::string_view body, bool with_body = true) {
  return fmt::format("HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}", status,
                     type, body.size(), with_body ? body : "");
}

std::string refusal(std::string_view status, std::string_view text) {
  return answer(status, "text/plain; charset=utf-8", fmt::format("{}\n", text));
}

struct Connection {
  Connection(Descriptor accepted, Clock::time_point until) : socket(std::move(accepted)), deadline(until) {}

  Descriptor socket;
  Clock::time_point deadline;
  std::string head;
  std::string out;  ///< the answer, once the head was read
  std::size_t written = 0;
  std::optional<std::uint64_t> version;  ///< of the page in `out`, if it is the page
  bool is_answered = false;              ///< only the client's leaving is waited for
  bool is_over = false;
};

class PollServer final : public PageServer {
 public:
  PollServer(PageServerOptions options, Descriptor listener, std::uint16_t port)
      : options_(std::move(options)),
        listener_(std::move(listener)),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        port_(port),
        thread_([this] { run(); }) {}
  ~PollServer() override { stop(milliseconds(0)); }

  std::uint16_t port() const override { return port_; }

  Counts counts() const override {
    const std::scoped_lock lock(mutex_);
    return counts_;
  }

  void stop(milliseconds grace) noexcept override {
    {
      const std::scoped_lock lock(mutex_);
      if (!stop_at_) stop_at_ = Clock::now() + grace;
    }
    ::eventfd_write(wake_.get(), 1);
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run() {
    // Whoever fills the page may be measuring; a reader can wait.
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 10);
    while (true) {
      const auto stop_at = stop_time();
      if (stop_at) listener_.reset();
      if (stop_at && (!has_answers_under_way() || Clock::now() >= *stop_at)) return;
      wait(stop_at);
      accept_waiting();
      for (Connection& connection : connections_) advance(connection);
      std::erase_if(connections_, [](const Connection& c) { return c.is_over; });
    }
  }

  std::optional<Clock::time_point> stop_time() const {
    const std::scoped_lock lock(mutex_);
    return stop_at_;
  }

  bool has_answers_under_way() const {
    return std::any_of(connections_.begin(), connections_.end(), [](const Connection& c) { return !c.is_answered; });
  }

  void wait(std::optional<Clock::time_point> until) {
    std::vector<pollfd> fds{{wake_.get(), static_cast<short>(until ? 0 : POLLIN), 0}};
    if (listener_.get() >= 0 && connections_.size() < options_.max_connections)
      fds.push_back({listener_.get(), POLLIN, 0});
    for (const Connection& c : connections_) {
      fds.push_back({c.socket.get(), static_cast<short>(c.out.empty() || c.is_answered ? POLLIN : POLLOUT), 0});
      until = until ? std::min(*until, c.deadline) : c.deadline;
    }
    int timeout = -1;
    if (until) {
      const auto left = std::chrono::ceil<milliseconds>(*until - Clock::now()).count();
      timeout = static_cast<int>(std::max<std::int64_t>(0, left));
    }
    ::poll(fds.data(), fds.size(), timeout);
  }

  void accept_waiting() {
    while (listener_.get() >= 0 && connections_.size() < options_.max_connections) {
      Descriptor accepted(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (accepted.get() < 0) {
        // Out of descriptors, it stays readable: give connections time to end instead of spinning.
        if (errno == EMFILE || errno == ENFILE) std::this_thread::sleep_for(milliseconds(20));
        return;
      }
      connections_.emplace_back(std::move(accepted), Clock::now() + options_.time_limit);
    }
  }

  void advance(Connection& c) {
    if (c.out.empty()) read_head(c);
    if (!c.out.empty() && !c.is_answered) write_some(c);
    if (c.is_answered) wait_for_leaving(c);
    if (!c.is_over && Clock::now() >= c.deadline) {
      c.is_over = true;
      if (c.out.empty()) count([](Counts& n) { ++n.refused; });
    }
    if (c.is_over && c.version && !c.is_answered) count([](Counts& n) { ++n.lost; });
  }

  void read_head(Connection& c) {
    std::array<char, 4096> some;
    while (c.out.empty()) {
      const ssize_t got = ::recv(c.socket.get(), some.data(), some.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) return;
      if (got <= 0) {
        count([](Counts& n) { ++n.refused; });
        c.is_over = true;
        return;
      }
      c.head.append(some.data(), static_cast<std::size_t>(got));
      const bool is_whole = c.head.find("\r\n\r\n") != std::string::npos || c.head.find("\n\n") != std::string::npos;
      if (c.head.size() > options_.max_head_bytes) {
        refuse(c, "431 Request Header Fields Too Large", "the head of the request is too long");
      } else if (is_whole) {
        respond(c);
      }
    }
  }

  void respond(Connection& c) {
    const auto request = read_request_line(c.head);
    if (!request) return refuse(c, "400 Bad Request", "this is no HTTP/1 request");
    if (request->method != "GET" && request->method != "HEAD")
      return refuse(c, "405 Method Not Allowed", "only GET and HEAD are answered");
    if (request->path != options_.path) return refuse(c, "404 Not Found", "there is only " + options_.path);
    const bool is_get = request->method == "GET";
    const Page page = options_.page();
    c.out = answer("200 OK", options_.content_type, page.text, is_get);
    if (!is_get) return;
    c.version = page.version;
    count([](Counts& n) { ++n.asked; });
  }

  void refuse(Connection& c, std::string_view status, std::string_view text) {
    count([](Counts& n) { ++n.refused; });
    c.out = refusal(status, text);
  }

  void write_some(Connection& c) {
    while (c.written < c.out.size()) {
      const ssize_t sent = ::send(c.socket.get(), c.out.data() + c.written, c.out.size() - c.written, MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && errno == EAGAIN) return;
      if (sent < 0) {
        c.is_over = true;
        return;
      }
      c.written += static_cast<std::size_t>(sent);
    }
    c.is_answered = true;
    if (c.version)
      count([&](Counts& n) {
        ++n.served;
        n.newest_version = std::max(n.newest_version, *c.version);
      });
    ::shutdown(c.socket.get(), SHUT_WR);
  }

  /// Closing with unread bytes would reset the connection and could take the answer with it.
  static void wait_for_leaving(Connection& c) {
    std::array<char, 4096> unwanted;
    while (!c.is_over) {
      const ssize_t got = ::recv(c.socket.get(), unwanted.data(), unwanted.size(), 0);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (got <= 0) c.is_over = true;
    }
  }

  template <class Change>
  void count(Change change) {
    const std::scoped_lock lock(mutex_);
    change(counts_);
  }

  const PageServerOptions options_;
  Descriptor listener_;
  const Descriptor wake_;
  const std::uint16_t port_;
  std::vector<Connection> connections_;  ///< the thread's own

  mutable std::mutex mutex_;
  Counts counts_;
  std::optional<Clock::time_point> stop_at_;

  std::thread thread_;  // last: it uses all of the above
};

std::uint16_t port_of(int socket) {
  SocketAddress bound;
  bound.size = sizeof bound.bytes;
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&bound.bytes), &bound.size);
  const auto port = bound.family() == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(&bound.bytes)->sin6_port
                                               : reinterpret_cast<const sockaddr_in*>(&bound.bytes)->sin_port;
  return ntohs(port);
}

}  // namespace

Result<std::unique_ptr<PageServer>, std::string> open_page_server(PageServerOptions options) {
  const auto address = resolve(options.where, SOCK_STREAM);
  if (!address) return address.error();
  Descriptor listener(::socket(address->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(listener.get(), address->get(), address->size) != 0 || ::listen(listener.get(), backlog) != 0)
    return {boost::system::in_place_error,
            fmt::format("cannot listen on {}: {}", options.where.text(), std::strerror(errno))};
  const std::uint16_t port = port_of(listener.get());
  return std::unique_ptr<PageServer>(std::make_unique<PollServer>(std::move(options), std::move(listener), port));
}

}  // namespace exporters
