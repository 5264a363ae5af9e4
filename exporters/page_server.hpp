// An HTTP listener for one page that others pull, on a thread of its own. Whoever asks may be hostile: heads,
// connections and times are limited. Knows nothing of what the page says.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "exporters/host_port.hpp"
#include "exporters/result.hpp"

namespace exporters {

struct Page {
  std::string text;
  std::uint64_t version = 0;  ///< never less than that of an earlier page
};

struct PageServerOptions {
  HostPort where;  ///< port 0: the system picks one
  std::string path = "/metrics";
  std::string content_type;
  std::function<Page()> page;        ///< called on the server's thread for every GET of the path
  std::size_t max_connections = 32;  ///< further ones wait until one of these ends
  std::size_t max_head_bytes = 8192;
  std::chrono::milliseconds time_limit{5000};  ///< of a connection, from its acceptance to its last byte
};

/// Every answer closes its connection.
class PageServer {
 public:
  struct Counts {
    std::uint64_t asked = 0;           ///< GETs of the page
    std::uint64_t served = 0;          ///< of them answered to the last byte
    std::uint64_t lost = 0;            ///< and those whose client left or was too slow; the others are under way
    std::uint64_t refused = 0;         ///< other requests and connections: answered with an error, or not at all
    std::uint64_t newest_version = 0;  ///< of the pages served
  };

  virtual ~PageServer() = default;

  virtual std::uint16_t port() const = 0;
  /// From any thread.
  virtual Counts counts() const = 0;
  /// Stops accepting, gives answers under way `grace` to end, stops the thread. Calling it again is harmless; the
  /// destructor does it without grace.
  virtual void stop(std::chrono::milliseconds grace) noexcept = 0;
};

/// Listens before it returns. The error names the address and the cause.
Result<std::unique_ptr<PageServer>, std::string> open_page_server(PageServerOptions options);

}  // namespace exporters
