// Name resolution and the trial connection, with plain sockets: this happens once, before any event loop runs.
#include "loadgen/drive/targets.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <memory>

namespace loadgen {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const noexcept { freeaddrinfo(list); }
};

/// 0, or the errno of why no connection came about.
int try_connect(const addrinfo& address, nanoseconds timeout) {
  const int fd = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  int error = 0;
  if (::connect(fd, address.ai_addr, address.ai_addrlen) != 0) error = errno;
  if (error == EINPROGRESS) {
    pollfd poll{fd, POLLOUT, 0};
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count();
    if (::poll(&poll, 1, static_cast<int>(ms)) <= 0) {
      error = ETIMEDOUT;
    } else {
      socklen_t size = sizeof error;
      ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    }
  }
  ::close(fd);
  return error;
}

std::string numeric(const addrinfo& address) {
  char host[NI_MAXHOST] = {};
  ::getnameinfo(address.ai_addr, address.ai_addrlen, host, sizeof host, nullptr, 0, NI_NUMERICHOST);
  return host;
}

}  // namespace

Result<Address, std::string> preflight(const Target& target, nanoseconds timeout) {
  using Failed = Result<Address, std::string>;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_family = AF_UNSPEC;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(target.port);
  if (const int rc = ::getaddrinfo(target.host.c_str(), port.c_str(), &hints, &found); rc != 0) {
    return Failed(boost::system::in_place_error,
                  fmt::format("target {}: cannot resolve '{}': {}", target.url, target.host, gai_strerror(rc)));
  }
  const std::unique_ptr<addrinfo, FreeAddresses> list(found);
  int error = 0;
  for (const addrinfo* address = list.get(); address != nullptr; address = address->ai_next) {
    error = try_connect(*address, timeout);
    if (error == 0) return Address{numeric(*address), target.port};
  }
  return Failed(boost::system::in_place_error,
                fmt::format("target {}: cannot connect to {}: {}; is the server running there?", target.url,
                            target.authority, std::strerror(error)));
}

Result<std::vector<Address>, std::string> preflight(const Scenario& scenario) {
  std::map<std::string, Address> known;
  std::vector<Address> addresses;
  for (const MixEntry& entry : scenario.mix) {
    auto it = known.find(entry.target.authority);
    if (it == known.end()) {
      const auto address = preflight(entry.target, scenario.timeouts.connect);
      if (!address) return address.error();
      it = known.emplace(entry.target.authority, *address).first;
    }
    addresses.push_back(it->second);
  }
  return addresses;
}

std::uint64_t raise_file_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace loadgen
