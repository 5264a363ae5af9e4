#include "exporters/host_port.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>

namespace exporters {
namespace {

constexpr std::size_t longest_host = 253;

Result<HostPort, std::string> refuse(const std::string& why) {
  return {boost::system::in_place_error, why + "; write HOST:PORT, such as 127.0.0.1:8125 or [::1]:8125"};
}

bool is_name(std::string_view host) noexcept {
  return !host.empty() && host.size() <= longest_host && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  });
}

/// An IPv6 address, with the interface it is of behind a '%' where it needs one: fe80::1%eth0.
bool is_address6(std::string_view text) {
  const std::size_t percent = text.find('%');
  in6_addr address{};
  return ::inet_pton(AF_INET6, std::string(text.substr(0, percent)).c_str(), &address) == 1 &&
         (percent == std::string_view::npos || is_name(text.substr(percent + 1)));
}

}  // namespace

std::string HostPort::text() const {
  const std::string shown = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return fmt::format("{}:{}", shown, port);
}

Result<HostPort, std::string> parse_host_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return refuse("has no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const bool in_brackets = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (in_brackets) host = host.substr(1, host.size() - 2);
  if (in_brackets && !is_address6(host)) return refuse("has no IPv6 address between its brackets");
  if (!in_brackets && !is_name(host)) return refuse("names no host");
  HostPort parsed{std::string(host), 0};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), parsed.port);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size())
    return refuse("its port is no number from 0 to 65535");
  return parsed;
}

const sockaddr* SocketAddress::get() const noexcept {
  return reinterpret_cast<const sockaddr*>(&bytes);
}

Result<SocketAddress, std::string> resolve(const HostPort& where, int socket_type) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = socket_type;
  wanted.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(where.host.c_str(), std::to_string(where.port).c_str(), &wanted, &found);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, [](addrinfo* list) {
    if (list != nullptr) ::freeaddrinfo(list);
  });
  if (code != 0 || found == nullptr)
    return {boost::system::in_place_error, fmt::format("host {}: {}", where.host, ::gai_strerror(code))};
  SocketAddress address;
  address.size = found->ai_addrlen;
  std::memcpy(&address.bytes, found->ai_addr, found->ai_addrlen);
  return address;
}

}  // namespace exporters
