// Writes HTTP response heads with TGI's headers: lower case, CORS on every response, date last.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace refserver {

/// How the connection goes on after this response.
enum class Persistence : std::uint8_t {
  keep,         ///< HTTP/1.1: nothing to say
  keep_stated,  ///< HTTP/1.0 client that asked for it
  close,
};

class ResponseHead {
 public:
  explicit ResponseHead(int status);
  ResponseHead& header(std::string_view name, std::string_view value);
  ResponseHead& header(std::string_view name, std::uint64_t value);
  /// Adds what every response has and the empty line; gives up the bytes. `allow_origin` is the CORS header's value;
  /// empty leaves it out.
  std::string finish(Persistence persistence, std::string_view allow_origin = "*") &&;

 private:
  std::string bytes_;
};

/// "Sat, 21 Nov 2026 03:15:08 GMT" for a time in seconds since the epoch.
std::string http_date(std::int64_t unix_seconds);

}  // namespace refserver
