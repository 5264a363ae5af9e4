// Links that open the provisioned Grafana dashboards at exactly one run: its time range and its tag. Knows no socket.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "loadgen/record/run_totals.hpp"
#include "loadgen/result.hpp"

namespace loadgen {

struct GrafanaUrl {
  std::string base;  ///< without slashes at its end
};

/// Address of a Grafana, `http(s)://HOST[:PORT][/PATH]`. The error says what is wrong with it and what to write;
/// credentials are refused, because the links are stored.
Result<GrafanaUrl, std::string> parse_grafana_url(std::string_view text);

/// Name -> URL for each dashboard of dashboards/json. The range is whole
/// milliseconds that hold every point of the run; dashboards filter by the variable `run`.
std::map<std::string, std::string> grafana_links(const GrafanaUrl& url, const RunFacts& facts);

}  // namespace loadgen
