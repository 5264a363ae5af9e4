// An address by hand: a scheme, a name, a port, nothing more.
#include "refserver/gateway/backend.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace refserver {
namespace {

constexpr std::size_t kMaxNameBytes = 64;

/// A backend's name is the first part of paths, so it must not be one that means something there.
constexpr std::array<std::string_view, 14> kReserved{
    "v1",   "health",  "ping",  "metrics", "generate", "generate_stream", "tokenize", "chat_tokenize",
    "info", "api-doc", "debug", "docs",    "vertex",   "invocations"};

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameBytes && text.front() != '.' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                  c == '-';
         });
}

bool is_host(std::string_view text) {
  return !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_' || c == ':';
  });
}

/// "host", "host:80", "[::1]:80" into its parts; empty host where it is none of them.
BackendAddress split_host(std::string_view text) {
  BackendAddress out;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return {};
    out.host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    if (!text.empty() && text.front() != ':') return {};
    port = text.empty() ? text : text.substr(1);
    if (!text.empty() && port.empty()) return {};
  } else {
    const std::size_t colon = text.find(':');
    out.host = text.substr(0, colon);
    if (out.host.find(':') != std::string::npos) return {};
    if (colon != std::string_view::npos) {
      port = text.substr(colon + 1);
      if (port.empty()) return {};
    }
  }
  if (!port.empty()) {
    const auto [at, ec] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (ec != std::errc() || at != port.data() + port.size() || out.port == 0) return {};
  }
  return is_host(out.host) ? out : BackendAddress{};
}

}  // namespace

namespace {

/// Spelt out: an address could be made of a text, too.
template <class... Args>
Result<BackendAddress, std::string> refuse(fmt::format_string<Args...> format, Args&&... args) {
  return {boost::system::in_place_error, fmt::format(format, std::forward<Args>(args)...)};
}

}  // namespace

Result<BackendAddress, std::string> parse_backend(std::string_view text) {
  constexpr std::string_view kScheme = "http://";
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) {
    return refuse("'{}' is not NAME=URL, such as qwen2=http://127.0.0.1:8081", text);
  }
  const std::string_view name = text.substr(0, equals);
  std::string_view url = text.substr(equals + 1);
  if (!is_name(name)) {
    return refuse("the name '{}' is not made of letters, digits, '.', '_' and '-', at most {}", name, kMaxNameBytes);
  }
  if (std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end()) {
    return refuse("the name '{}' is a path of the gateway's own; take another", name);
  }
  if (!url.starts_with(kScheme)) return refuse("'{}' does not begin with {} (TLS is not spoken)", url, kScheme);
  url.remove_prefix(kScheme.size());
  if (url.ends_with('/')) url.remove_suffix(1);
  BackendAddress address = split_host(url);
  if (address.host.empty()) return refuse("'{}' is not HOST or HOST:PORT, without a path", url);
  address.name = name;
  return address;
}

std::string host_header(const BackendAddress& address) {
  const bool is_v6 = address.host.find(':') != std::string::npos;
  const std::string host = is_v6 ? "[" + address.host + "]" : address.host;
  return address.port == 80 ? host : fmt::format("{}:{}", host, address.port);
}

std::size_t find_backend(std::span<const Backend> backends, std::string_view name) {
  std::size_t i = 0;
  while (i < backends.size() && backends[i].address.name != name && (name.empty() || backends[i].served_name != name)) {
    ++i;
  }
  return i;
}

}  // namespace refserver
