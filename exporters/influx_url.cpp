#include "exporters/influx_url.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace exporters {
namespace {

constexpr std::string_view form = "; write http://HOST:PORT/DB, for example http://127.0.0.1:8086/llm";

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_plain(char c) {
  return is_alphanumeric(c) || c == '.' || c == '-' || c == '_';
}

/// Letters, digits and the three characters that hosts may have besides.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 && std::all_of(name.begin(), name.end(), is_plain);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The name that a percent-encoded text stands for; nothing if another character stands for itself, or a control
/// character is in it: one in a query would be a second line of the request.
std::optional<std::string> decode_name(std::string_view text) {
  std::string name;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (text.size() - i < 3 || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0) return std::nullopt;
      c = static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else if (!is_plain(c)) {
      return std::nullopt;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return std::nullopt;
    name += c;
  }
  if (name.empty() || name.size() > 255) return std::nullopt;
  return name;
}

bool is_ipv6(const std::string& host) {
  in6_addr address;
  return inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

Result<InfluxUrl, std::string> refuse(std::string_view cause) {
  return {boost::system::in_place_error, "InfluxDB URL: " + std::string(cause) + std::string(form)};
}

/// Splits "HOST:PORT" or "[IPV6]:PORT"; false if it is neither. An IPv6 address without brackets is not told from its
/// port.
bool split_authority(std::string_view authority, std::string& host, std::string_view& port) {
  const std::size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos) return false;
  port = authority.substr(colon + 1);
  std::string_view name = authority.substr(0, colon);
  const bool in_brackets = name.size() >= 2 && name.front() == '[' && name.back() == ']';
  host = in_brackets ? name.substr(1, name.size() - 2) : name;
  return in_brackets ? is_ipv6(host) : is_plain_name(host);
}

}  // namespace

std::string InfluxUrl::server() const {
  const bool needs_brackets = host.find(':') != std::string::npos;
  return scheme + "://" + (needs_brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string InfluxUrl::text() const {
  return server() + "/" + percent_encoded(database);
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (is_plain(c) || c == '~') {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    ((out += '%') += digits[byte >> 4]) += digits[byte & 15];
  }
  return out;
}

Result<InfluxUrl, std::string> parse_influx_url(std::string_view text) {
  InfluxUrl url;
  const std::size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return refuse("there is no http:// in front");
  url.scheme = text.substr(0, scheme_end);
  if (url.scheme != "http" && url.scheme != "https") return refuse("the scheme is not http or https");
  const std::string_view rest = text.substr(scheme_end + 3);
  if (rest.find('@') != std::string_view::npos)
    return refuse("credentials do not belong into a URL, give them by environment or file");
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return refuse("the database is missing");
  std::string_view port;
  if (!split_authority(rest.substr(0, slash), url.host, port))
    return refuse("the host or the port is missing or malformed");
  const auto number = parse_port(port);
  if (!number) return refuse("the port is not a number from 1 to 65535");
  url.port = *number;
  auto name = decode_name(rest.substr(slash + 1));
  if (!name)
    return refuse(
        "the database name is not made of letters, digits, '_', '-' and '.'; others are written %20 and so on");
  url.database = std::move(*name);
  return url;
}

}  // namespace exporters
