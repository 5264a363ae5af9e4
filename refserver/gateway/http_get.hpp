// One GET with a deadline: how the gateway asks its backends how they are, and what `refserver health` does.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "refserver/gateway/backend.hpp"
#include "refserver/result.hpp"

namespace refserver {

struct HttpReply {
  int status = 0;
  std::string body;
};

using Endpoints = std::vector<boost::asio::ip::tcp::endpoint>;

/// The addresses of `address.host`. The error is the resolver's.
boost::asio::awaitable<Result<Endpoints>> resolve(const BackendAddress& address);

/// Connects, asks for `path` and reads an answer of at most 1 MiB. Errors: the system's; timed_out after `timeout`.
/// References must live until it returns.
boost::asio::awaitable<Result<HttpReply>> http_get(const BackendAddress& address, const Endpoints& endpoints,
                                                   const std::string& path, std::chrono::milliseconds timeout);

}  // namespace refserver
