// Name resolution and the trial connection, with plain sockets: this happens once, before any event loop runs.
#include "loadgen/drive/targets.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <memory>

#include "loadgen/drive/endpoint.hpp"
#include "loadgen/drive/file_descriptor.hpp"

namespace loadgen {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const noexcept { freeaddrinfo(list); }
};

/// 0, or the errno of why no connection came about.
int try_connect(int family, const sockaddr* address, socklen_t size, nanoseconds timeout) {
  const FileDescriptor socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return errno;
  int error = 0;
  if (::connect(socket.get(), address, size) != 0) error = errno;
  if (error == EINPROGRESS) {
    pollfd poll{socket.get(), POLLOUT, 0};
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count();
    if (::poll(&poll, 1, static_cast<int>(ms)) <= 0) {
      error = ETIMEDOUT;
    } else {
      socklen_t length = sizeof error;
      ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    }
  }
  return error;
}

std::string numeric(const addrinfo& address) {
  char host[NI_MAXHOST] = {};
  ::getnameinfo(address.ai_addr, address.ai_addrlen, host, sizeof host, nullptr, 0, NI_NUMERICHOST);
  return host;
}

using Found = Result<Address, std::string>;

Found not_connected(const Target& target, int error) {
  return Found(boost::system::in_place_error,
               fmt::format("target {}: cannot connect to {}: {}; is the server running there?", target.url,
                           target.unix_path.empty() ? target.authority : target.unix_path, std::strerror(error)));
}

Found preflight_unix(const Target& target, nanoseconds timeout) {
  Address address{target.unix_path, 0};
  const auto endpoint = make_endpoint(address);
  const int error = endpoint ? try_connect(endpoint->family(), endpoint->raw(), endpoint->size, timeout) : ENAMETOOLONG;
  if (error != 0) return not_connected(target, error);
  return address;
}

}  // namespace

Result<Address, std::string> preflight(const Target& target, nanoseconds timeout) {
  if (!target.unix_path.empty()) return preflight_unix(target, timeout);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_family = AF_UNSPEC;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(target.port);
  if (const int rc = ::getaddrinfo(target.host.c_str(), port.c_str(), &hints, &found); rc != 0) {
    return Found(boost::system::in_place_error,
                 fmt::format("target {}: cannot resolve '{}': {}", target.url, target.host, gai_strerror(rc)));
  }
  const std::unique_ptr<addrinfo, FreeAddresses> list(found);
  int error = 0;
  for (const addrinfo* address = list.get(); address != nullptr; address = address->ai_next) {
    error = try_connect(address->ai_family, address->ai_addr, address->ai_addrlen, timeout);
    if (error == 0) return Address{numeric(*address), target.port};
  }
  return not_connected(target, error);
}

Result<std::vector<Address>, std::string> preflight(const Scenario& scenario) {
  std::map<std::string, Address> known;
  std::vector<Address> addresses;
  for (const MixEntry& entry : scenario.mix) {
    const std::string& key = entry.target.unix_path.empty() ? entry.target.authority : entry.target.unix_path;
    auto it = known.find(key);
    if (it == known.end()) {
      const auto address = preflight(entry.target, scenario.timeouts.connect);
      if (!address) return address.error();
      it = known.emplace(key, *address).first;
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
