// The heads of both directions: what a client said goes on to the backend, what the backend said to the client, each
// without the headers that mean one connection only.
#pragma once

#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "refserver/gateway/backend.hpp"

namespace refserver {

/// How the end of a body is told.
enum class BodyFraming : std::uint8_t { none, length, chunked, until_close };

/// Head for the backend: the client's headers, our own host, `connection: close`, the length of the body that follows.
std::string make_backend_head(std::string_view method, std::string_view target, const BackendAddress& backend,
                              const boost::beast::http::fields& headers, std::size_t body_bytes);

/// Head for the client: the backend's status and headers, and our framing. `length` is for BodyFraming::length.
std::string make_client_head(const boost::beast::http::response_header<>& answer, BodyFraming framing,
                             std::uint64_t length, bool closes_afterwards);

}  // namespace refserver
