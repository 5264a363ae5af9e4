// Where an InfluxDB database or bucket is, as users write it: http://HOST:PORT/NAME. Text only; nothing is looked up.
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
  std::string database;  ///< or bucket; UTF-8 without control characters, not empty

  /// "http://HOST:PORT", with brackets around an IPv6 address.
  std::string server() const;
  /// The whole URL; what the database's name needs is percent-encoded again.
  std::string text() const;
};

/// Every byte but letters, digits, '-', '.', '_' and '~' as %XX, as paths and queries of URLs need it.
std::string percent_encoded(std::string_view text);

/// Strict: scheme, host, port and database are all needed and nothing else is allowed. In particular a user or password
/// in the URL is refused, since URLs end up in logs. Characters of the database's name other than letters, digits, '-',
/// '.' and '_' are percent-encoded. The error says what is wrong and what would be right.
Result<InfluxUrl, std::string> parse_influx_url(std::string_view text);

}  // namespace exporters
