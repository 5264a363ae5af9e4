// How targets are reached: TLS, names resolved by hand, source addresses, proxies. Fields of a scenario.
#pragma once

#include <filesystem>

#include "loadgen/plan/object_reader.hpp"
#include "loadgen/plan/scenario.hpp"

namespace loadgen {

/// `tls`, `resolve`, `source_addresses` and `proxy` of the scenario, and with them the proxy of each entry's target.
/// Files named in a scenario file lie relative to `folder`. Call it once the mix has been read.
void read_network(const Document& document, const ObjectReader& reader, const std::filesystem::path& folder,
                  Scenario& scenario, ScenarioErrors& errors);

/// `HOST:PORT:ADDRESS`, as curl writes it; an IPv6 address may have brackets. The error says what is wrong.
Result<ResolveRule, std::string> parse_resolve_rule(std::string_view text);

}  // namespace loadgen
