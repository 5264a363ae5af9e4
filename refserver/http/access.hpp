// Who may ask: the API key and the CORS origin. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace refserver {

/// True if `authorization` is "Bearer KEY", the whole of it compared without regard to case, as TGI does. Takes the
/// same time wherever the difference lies. An empty key lets everyone in.
bool is_authorized(std::string_view key, std::optional<std::string_view> authorization);

/// The access-control-allow-origin header for a request with this origin: "*" where any is allowed, the origin itself
/// where it is listed, else empty.
std::string_view allowed_origin(const std::vector<std::string>& allowed, std::string_view origin);

}  // namespace refserver
