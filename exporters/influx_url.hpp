// Where an InfluxDB 1.x database is, as users write it: http://HOST:PORT/DB. Text only; nothing is looked up.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "exporters/result.hpp"

namespace exporters {

struct InfluxUrl {
  std::string scheme;  ///< "http" or "https"
  std::string host;    ///< a name, an IPv4 address, or an IPv6 address without its brackets
  std::uint16_t port = 0;
  std::string database;  ///< letters, digits, '_', '-', '.'

  /// "http://HOST:PORT", with brackets around an IPv6 address.
  std::string server() const;
  /// The whole URL, as given.
  std::string text() const { return server() + "/" + database; }
};

/// Strict: scheme, host, port and database are all needed and nothing else is allowed. In particular a user or password
/// in the URL is refused, since URLs end up in logs. The error says what is wrong and what would be right.
Result<InfluxUrl, std::string> parse_influx_url(std::string_view text);

}  // namespace exporters
