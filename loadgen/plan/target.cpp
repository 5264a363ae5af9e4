// Splits and judges the URL of a target.
#include "loadgen/plan/target.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace loadgen {
namespace {

constexpr std::size_t longest_url = 2000;

bool is_alnum(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool is_name_char(char c) noexcept {
  return is_alnum(c) || c == '.' || c == '-' || c == '_';
}
bool is_address6_char(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
}
bool is_path_char(char c) noexcept {
  return is_alnum(c) || std::string_view("/-._~!$&'()*+,;=:@%").find(c) != std::string_view::npos;
}

/// Reads `host[:port]` into `target`; the message of what is wrong, or empty.
std::string read_authority(std::string_view authority, Target& target) {
  target.authority = std::string(authority);
  std::string_view host = authority, port;
  if (authority.substr(0, 1) == "[") {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return "has '[' without ']' around its IPv6 address";
    host = authority.substr(1, close - 1);
    port = authority.substr(close + 1);
    if (!std::all_of(host.begin(), host.end(), is_address6_char)) return "has no IPv6 address between its brackets";
    if (!port.empty() && port[0] != ':') return "has something between ']' and the port";
  } else {
    const std::size_t colon = authority.find(':');
    if (colon != std::string_view::npos) port = authority.substr(colon);
    host = authority.substr(0, colon);
    if (!std::all_of(host.begin(), host.end(), is_name_char)) return "has a host that is neither a name nor an address";
  }
  if (host.empty()) return "names no host";
  if (host.size() > 253) return "has a host longer than 253 characters";
  target.host = std::string(host);
  if (port.empty()) return {};
  port.remove_prefix(1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), target.port);
  if (error != std::errc() || end != port.data() + port.size() || target.port == 0)
    return "needs a port between 1 and 65535";
  return {};
}

/// `unix:` has been taken off; the rest is the path of a socket.
std::string read_unix(std::string_view path, Target& target) {
  constexpr std::size_t longest_path = 107;  // what fits into a socket address
  if (path.empty() || path[0] != '/') return "needs an absolute path, as in unix:/run/server.sock";
  if (path.size() > longest_path) return fmt::format("has a path longer than {} characters", longest_path);
  if (!std::all_of(path.begin(), path.end(), is_path_char)) return "has a character in its path that it cannot have";
  target.unix_path = std::string(path);
  target.host = target.authority = "localhost";
  return {};
}

std::string read_url(std::string_view url, Target& target) {
  constexpr std::string_view plain = "http://", secure = "https://", secure_unix = "unix+tls:";
  if (url.size() > longest_url) return fmt::format("is longer than {} characters", longest_url);
  if (url.substr(0, 5) == "unix:") {
    target.url = std::string(url);
    return read_unix(url.substr(5), target);
  }
  if (url.substr(0, secure_unix.size()) == secure_unix) {
    target.url = std::string(url);
    target.is_tls = true;
    return read_unix(url.substr(secure_unix.size()), target);
  }
  target.is_tls = url.substr(0, secure.size()) == secure;
  const std::string_view scheme = target.is_tls ? secure : plain;
  if (url.substr(0, scheme.size()) != scheme)
    return "must start with http://, https://, unix: or unix+tls:, as in http://127.0.0.1:8080";
  target.port = target.is_tls ? 443 : 80;
  while (url.size() > scheme.size() && url.back() == '/') url.remove_suffix(1);
  const std::string_view rest = url.substr(scheme.size());
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view authority = rest.substr(0, slash), path = rest.substr(slash);
  if (authority.find('@') != std::string_view::npos) {
    return "must not hold credentials; send them in 'headers', as in {authorization: Bearer ...}";
  }
  if (path.find_first_of("?#") != std::string_view::npos || authority.find_first_of("?#") != std::string_view::npos) {
    return "must not have a query or fragment; the route's path is added to it";
  }
  if (!std::all_of(path.begin(), path.end(), is_path_char)) return "has a character in its path that a URL cannot have";
  target.url = std::string(url);
  target.base_path = std::string(path);
  return read_authority(authority, target);
}

}  // namespace

Result<Target, std::string> parse_target(std::string_view url) {
  Target target;
  std::string error = read_url(url, target);
  if (error.empty()) return target;
  // The URL itself is not repeated when it may hold a password.
  const bool secret = url.find('@') != std::string_view::npos;
  return {boost::system::in_place_error, secret ? error : fmt::format("'{}' {}", url.substr(0, 100), error)};
}

}  // namespace loadgen
