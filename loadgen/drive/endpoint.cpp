#include "loadgen/drive/endpoint.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

namespace loadgen {
namespace {

std::optional<Endpoint> unix_endpoint(const std::string& path) noexcept {
  sockaddr_un local{};
  if (path.size() >= sizeof local.sun_path) return std::nullopt;
  local.sun_family = AF_UNIX;
  std::memcpy(local.sun_path, path.c_str(), path.size() + 1);
  Endpoint endpoint;
  endpoint.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  std::memcpy(&endpoint.storage, &local, endpoint.size);
  return endpoint;
}

std::optional<Endpoint> ip_endpoint(const Address& address) noexcept {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address.text.c_str(), nullptr, &hints, &found) != 0) return std::nullopt;
  Endpoint endpoint;
  endpoint.size = found->ai_addrlen;
  std::memcpy(&endpoint.storage, found->ai_addr, found->ai_addrlen);
  ::freeaddrinfo(found);
  const in_port_t port = htons(address.port);
  if (endpoint.family() == AF_INET6) {
    std::memcpy(reinterpret_cast<char*>(&endpoint.storage) + offsetof(sockaddr_in6, sin6_port), &port, sizeof port);
  } else {
    std::memcpy(reinterpret_cast<char*>(&endpoint.storage) + offsetof(sockaddr_in, sin_port), &port, sizeof port);
  }
  return endpoint;
}

}  // namespace

std::optional<Endpoint> make_endpoint(const Address& address) noexcept {
  auto endpoint = address.is_unix() ? unix_endpoint(address.text) : ip_endpoint(address);
  if (endpoint) endpoint->way = address.way;
  return endpoint;
}

}  // namespace loadgen
