// One client connection: reads requests one after the other, answers the simple ones itself and hands generations over.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <optional>

#include "refserver/http/service.hpp"

namespace refserver {

class Connection {
 public:
  virtual ~Connection() = default;
  /// Serves until the client leaves, a limit is hit or the server drains. Does not throw for anything a client does.
  virtual boost::asio::awaitable<void> run() = 0;
  /// Applies the deadlines.
  virtual void on_tick(TimePoint now) = 0;
  /// The server drains: closes now if no request is under way, after it otherwise.
  virtual void drain() = 0;
  /// Ends at once, whatever is under way.
  virtual void cut() = 0;
};

/// The connection registers itself with `service.connections` for as long as it lives.
/// `face` is the port the client came by.
std::shared_ptr<Connection> make_connection(Service& service, Face& face, boost::asio::ip::tcp::socket socket);

}  // namespace refserver
