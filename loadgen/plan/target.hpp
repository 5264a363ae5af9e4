// Where requests go: reads the URL of a target. Pure text; resolves nothing.
#pragma once

#include <string>
#include <string_view>

#include "loadgen/plan/scenario.hpp"

namespace loadgen {

/// `http://HOST[:PORT][/BASE]` or `https://...`, HOST a name, an IPv4 address or an IPv6 address in brackets, or
/// `unix:/PATH` of a socket on this machine. Refuses user names and passwords, queries, fragments and anything that
/// could break out of a request line. The error says what is right.
Result<Target, std::string> parse_target(std::string_view url);

}  // namespace loadgen
