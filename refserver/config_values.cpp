// The simple kinds of values.
#include "refserver/config_values.hpp"

#include <arpa/inet.h>

#include "refserver/duration.hpp"

namespace refserver {

bool parse_bool(const std::string& text) {
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  throw BadValue(fmt::format("'{}' is neither true nor false", text));
}

std::chrono::nanoseconds parse_time(const std::string& text) {
  if (const auto time = parse_duration(text)) return *time;
  throw BadValue(fmt::format("'{}' is not a duration such as 100ms, 1.5s or 250us (at most 1h)", text));
}

std::chrono::milliseconds parse_milliseconds(const std::string& text) {
  return std::chrono::ceil<std::chrono::milliseconds>(parse_time(text));
}

std::string parse_host(const std::string& text) {
  in6_addr address{};
  if (inet_pton(AF_INET, text.c_str(), &address) == 1 || inet_pton(AF_INET6, text.c_str(), &address) == 1) return text;
  throw BadValue(fmt::format("'{}' is not an IP address such as 127.0.0.1, 0.0.0.0 or ::1", text));
}

std::string parse_header_value(const std::string& text) {
  for (const char c : text) {
    if (c < 0x21 || c > 0x7E) throw BadValue("has characters other than printable ASCII without spaces");
  }
  if (text.empty()) throw BadValue("is empty");
  return text;
}

}  // namespace refserver
