// One HTTP/1.1 connection to one server, kept alive: a request in, an answer out, blocking, with a time limit.
// Knows nothing of InfluxDB. Proxies of the environment are not used and redirects not followed.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "exporters/http_answer.hpp"

namespace exporters {

/// Sent in headers only, never in a URL. At most one of the two forms is used; the token wins.
struct HttpCredentials {
  std::string user;
  std::string password;
  std::string token;  ///< "Authorization: <token_scheme> <token>"
  std::string token_scheme = "Token";
};

enum class ContentEncoding : std::uint8_t {
  identity,
  gzip,  ///< the body is gzip already; only the header is added here
};

struct HttpClientOptions {
  std::string server;  ///< "http://HOST:PORT"
  HttpCredentials credentials;
  std::chrono::milliseconds timeout{10'000};  ///< per request, connecting included
  std::function<bool()> should_abort;         ///< asked about once a second during a request; may be empty
  std::size_t max_answer_bytes = std::size_t{4} << 20;
};

/// Not thread-safe: one thread at a time.
class HttpClient {
 public:
  explicit HttpClient(HttpClientOptions options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// `path` begins with '/' and is encoded already.
  HttpAnswer get(std::string_view path);
  HttpAnswer post(std::string_view path, std::string_view content_type, std::string_view body,
                  ContentEncoding encoding = ContentEncoding::identity);

 private:
  struct Handle;
  HttpAnswer perform(std::string_view path);

  HttpClientOptions options_;
  std::unique_ptr<Handle> handle_;
};

}  // namespace exporters
