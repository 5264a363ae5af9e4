// What the bare peers share: loopback sockets, an epoll set, clocks. No error handling beyond stopping: these are
// measuring sticks, not programs.
#pragma once

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <string>
#include <vector>

namespace peers {

/// Stops with the name of what failed unless `ok`.
inline void must(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

inline std::int64_t clock_ns(clockid_t clock = CLOCK_MONOTONIC) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

/// CPU time of this process in seconds, user and system.
inline double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// `--name value` pairs; a number that is missing takes its default.
class Flags {
 public:
  Flags(int argc, char** argv) {
    for (int i = 1; i + 1 < argc; i += 2) values_[argv[i]] = argv[i + 1];
  }
  long number(const char* name, long otherwise) const {
    const auto it = values_.find(name);
    return it == values_.end() ? otherwise : std::atol(it->second.c_str());
  }
  std::string text(const char* name) const {
    const auto it = values_.find(name);
    return it == values_.end() ? std::string() : it->second;
  }

 private:
  std::map<std::string, std::string> values_;
};

inline sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

inline void raise_file_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/// Sends at once: no Nagle, and no congestion control that paces (where BBR is the system's choice it would).
inline void set_no_delay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
}

/// A listening socket; prints `listening on http://...` once it accepts.
inline int listen_on(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address = loopback(port);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  must(::bind(fd, raw, size) == 0 && ::listen(fd, 4096) == 0 && ::getsockname(fd, raw, &size) == 0, "listen");
  std::printf("listening on http://127.0.0.1:%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return fd;
}

inline void watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  must(::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

/// Waits until `due_ns` (INT64_MAX: for ever) or until something can be read; to the nanosecond.
inline int wait(int epoll, epoll_event* events, int limit, std::int64_t due_ns) {
  if (due_ns == INT64_MAX) return ::epoll_wait(epoll, events, limit, -1);
  const std::int64_t left = std::max<std::int64_t>(0, due_ns - clock_ns());
  const timespec timeout{left / 1'000'000'000, left % 1'000'000'000};
  return ::epoll_pwait2(epoll, events, limit, &timeout, nullptr);
}

/// The bytes of one whole request at the front of `buffer`, or 0 while it is not whole.
inline std::size_t request_length(const char* data, std::size_t size) {
  const auto* end = static_cast<const char*>(::memmem(data, size, "\r\n\r\n", 4));
  if (end == nullptr) return 0;
  const auto head = static_cast<std::size_t>(end - data) + 4;
  const auto* length = static_cast<const char*>(::memmem(data, head, "ontent-length: ", 15));
  if (length == nullptr) length = static_cast<const char*>(::memmem(data, head, "ontent-Length: ", 15));
  const std::size_t whole = head + (length == nullptr ? 0 : std::strtoul(length + 15, nullptr, 10));
  return whole <= size ? whole : 0;
}

}  // namespace peers
