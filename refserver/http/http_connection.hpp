// One client of the server: reads requests one after the other, answers the simple ones itself and hands generations
// over.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "refserver/http/connection.hpp"
#include "refserver/http/service.hpp"

namespace refserver {

/// The connection is with `service.reception` for as long as it lives. `face` is the port the client came by.
std::shared_ptr<Connection> make_http_connection(Service& service, Face& face, boost::asio::ip::tcp::socket socket);

}  // namespace refserver
