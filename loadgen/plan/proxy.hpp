// Which proxy a target is reached through, by the environment variables that other clients heed. Pure text.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "loadgen/plan/scenario.hpp"
#include "loadgen/result.hpp"

namespace loadgen {

/// The proxy for `target`, or none. For http targets `http_proxy` (in lower case only: a CGI server sets HTTP_PROXY
/// from a header), for https `https_proxy` or `HTTPS_PROXY`; failing those `all_proxy` or `ALL_PROXY`. Not for hosts
/// that `no_proxy` or `NO_PROXY` lists (names with all below them, addresses, `host:port`, `*`), and never for unix
/// sockets. The error names the variable; what it holds may be a password and is not repeated.
Result<std::optional<Proxy>, std::string> proxy_for(const Target& target,
                                                    const std::function<const char*(const char*)>& environment);

/// RFC 4648, with padding.
std::string base64(std::string_view text);

}  // namespace loadgen
