// What the server reads from a request's headers besides framing. Pure; knows no parser.
#pragma once

#include <string>
#include <string_view>

namespace refserver {

/// application/json or application/*+json, any parameters, any case.
bool is_json_type(std::string_view type);

/// A client's own id, cut to 256 bytes; whatever is not printable ASCII becomes '?', since logs are JSON.
std::string make_printable_id(std::string_view value);

/// True for "1" and "true".
bool is_switched_on(std::string_view value);

}  // namespace refserver
