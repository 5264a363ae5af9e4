// HOST:PORT as a user writes it, and the addresses behind it.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "exporters/result.hpp"

namespace exporters {

struct HostPort {
  std::string host;  ///< a name or an address, an IPv6 one without its brackets
  std::uint16_t port = 0;

  /// As it was written: brackets around an IPv6 address.
  std::string text() const;
};

/// "localhost:8125", "127.0.0.1:8125" or "[::1]:8125". The error says what is wrong and what would be right.
Result<HostPort, std::string> parse_host_port(std::string_view text);

struct SocketAddress {
  sockaddr_storage bytes{};
  socklen_t size = 0;

  int family() const noexcept { return bytes.ss_family; }
  const sockaddr* get() const noexcept;
};

/// The first address the system has for the name, for datagrams or for streams (SOCK_DGRAM, SOCK_STREAM). The error
/// names the host and the cause. May ask a name server, so it may take seconds.
Result<SocketAddress, std::string> resolve(const HostPort& where, int socket_type);

}  // namespace exporters
