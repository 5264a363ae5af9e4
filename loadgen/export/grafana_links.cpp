#include "loadgen/export/grafana_links.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "loadgen/export/wall_time.hpp"

namespace loadgen {
namespace {

using Parsed = Result<GrafanaUrl, std::string>;

/// The uids are those of dashboards/json; `variable` is what the dashboard calls the run.
struct Dashboard {
  const char* name;
  const char* uid;
  const char* variable;
};
constexpr Dashboard dashboards[] = {
    {"grafana_run", "plumbline-run", "run"},
    {"grafana_compare", "plumbline-compare", "run_b"},
    {"grafana_server", "plumbline-server", "run"},
    {"grafana_prometheus", "plumbline-prometheus", "run"},
};

Parsed refuse(std::string_view cause) {
  return {boost::system::in_place_error,
          fmt::format("{}; write the address of Grafana, for example http://127.0.0.1:3000", cause)};
}

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// Unreserved characters stay, all others become %XX.
std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (is_alphanumeric(c) || std::string_view("-._~").find(c) != std::string_view::npos)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace

Parsed parse_grafana_url(std::string_view text) {
  const std::size_t scheme = text.starts_with("https://") ? 8 : text.starts_with("http://") ? 7 : 0;
  if (scheme == 0) return refuse("there is no http:// or https:// in front");
  const auto is_allowed = [](char c) {
    return is_alphanumeric(c) || std::string_view("-._~/:[]%").find(c) != std::string_view::npos;
  };
  const std::string_view rest = text.substr(scheme);
  if (rest.find('@') != std::string_view::npos) return refuse("credentials do not belong into a link");
  if (!std::all_of(rest.begin(), rest.end(), is_allowed))
    return refuse("only host, port and path belong into it, without spaces, '?' and '#'");
  while (text.size() > scheme && text.back() == '/') text.remove_suffix(1);
  if (text.size() == scheme || text[scheme] == '/' || text[scheme] == ':') return refuse("the host is missing");
  return GrafanaUrl{std::string(text)};
}

std::map<std::string, std::string> grafana_links(const GrafanaUrl& url, const RunFacts& facts) {
  constexpr std::int64_t ns_per_ms = 1'000'000;
  const std::int64_t from_ms = wall_ns(facts, facts.mono_start_ns) / ns_per_ms;
  const std::int64_t to_ms = wall_ns(facts, facts.mono_end_ns) / ns_per_ms + 1;  // points at the end may lie ns behind
  std::map<std::string, std::string> links;
  for (const Dashboard& dashboard : dashboards)
    links[dashboard.name] = fmt::format("{}/d/{}?from={}&to={}&var-{}={}", url.base, dashboard.uid, from_ms, to_ms,
                                        dashboard.variable, percent_encoded(facts.run_id));
  return links;
}

}  // namespace loadgen
