// A socket address that can be connected to: IPv4, IPv6 or a unix socket. Internal to drive.
#pragma once

#include <sys/socket.h>

#include <memory>
#include <optional>

#include "loadgen/drive/targets.hpp"
#include "loadgen/drive/way.hpp"

namespace loadgen {

struct Endpoint {
  sockaddr_storage storage{};
  socklen_t size = 0;
  std::shared_ptr<const Way> way = nullptr;  ///< what lies between the socket and the server; null: nothing

  const sockaddr* raw() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const noexcept { return storage.ss_family; }
};

/// From a numeric address (with scope, if it needs one) or the path of a unix socket; nothing if `address` is neither.
std::optional<Endpoint> make_endpoint(const Address& address) noexcept;

}  // namespace loadgen
