#include "loadgen/cli_exports.hpp"

#include <fmt/format.h>

#include <utility>

#include "loadgen/cli_options.hpp"
#include "loadgen/export/grafana_links.hpp"
#include "loadgen/plan/units.hpp"

namespace loadgen {
namespace {

using Read = Result<void, std::string>;

Read refuse(const char* flag, const std::string& message) {
  return {boost::system::in_place_error, fmt::format("{}: {}", flag, message)};
}

Read read_influx(const ExportFlags& flags, ExportOptions& exports) {
  auto target = read_influx_flags(flags.influx);
  if (!target) return {boost::system::in_place_error, target.error()};
  exports.influx = std::move(*target);
  return {};
}

Read read_grafana(const ExportFlags& flags, ExportOptions& exports) {
  if (!flags.grafana_url) return {};
  const auto url = parse_grafana_url(*flags.grafana_url);
  if (!url) return refuse("--grafana-url", url.error());
  exports.grafana_url = *url;
  return {};
}

Read read_statsd(const ExportFlags& flags, ExportOptions& exports) {
  if (!flags.statsd) {
    if (flags.statsd_format) return refuse("--statsd-format", "needs --statsd HOST:PORT");
    return flags.statsd_prefix ? refuse("--statsd-prefix", "needs --statsd HOST:PORT") : Read();
  }
  StatsdOutput output;
  const auto where = exporters::parse_host_port(*flags.statsd);
  if (!where) return refuse("--statsd", where.error());
  if (where->port == 0) return refuse("--statsd", "needs the port that the daemon has, such as 8125");
  output.where = *where;
  const auto format = exporters::statsd_format_from(flags.statsd_format.value_or("plain"));
  if (!format)
    return refuse("--statsd-format", "must be plain, dogstatsd or influx, is '" + *flags.statsd_format + "'");
  output.format = *format;
  output.prefix = flags.statsd_prefix.value_or(output.prefix);
  if (!exporters::is_statsd_name(output.prefix) || output.prefix.size() > 64)
    return refuse("--statsd-prefix", "must be 1 to 64 of A-Z a-z 0-9 _ - in words with dots between them, such as llm");
  exports.live.statsd = std::move(output);
  return {};
}

Read read_prometheus(const ExportFlags& flags, ExportOptions& exports) {
  if (!flags.prometheus)
    return flags.metrics_linger ? refuse("--metrics-linger", "needs --prometheus HOST:PORT") : Read();
  PrometheusOutput output;
  const auto where = exporters::parse_host_port(*flags.prometheus);
  if (!where) return refuse("--prometheus", where.error());
  output.where = *where;
  if (flags.metrics_linger) {
    const auto linger = parse_duration(*flags.metrics_linger);
    if (!linger) return refuse("--metrics-linger", linger.error());
    output.linger = *linger;
  }
  exports.live.prometheus = std::move(output);
  return {};
}

}  // namespace

void add_export_flags(CLI::App& app, ExportFlags& flags) {
  const char* const group = "Where numbers go";
  add_influx_flags(app, flags.influx, group);
  OptionGroup options(app, group);
  options.text("--grafana-url", flags.grafana_url, "URL",
               "Put links to this run in Grafana into summary.json and report.html");
  options.text("--statsd", flags.statsd, "HOST:PORT",
               "Also send counters, timers and percentiles to a StatsD daemon by UDP");
  options.text("--statsd-format", flags.statsd_format, "plain|dogstatsd|influx",
               "Dotted names alone, which every daemon reads, or tags (default plain)");
  options.text("--statsd-prefix", flags.statsd_prefix, "NAME", "First word of the names (default llm)");
  options.text("--prometheus", flags.prometheus, "HOST:PORT",
               "Show the run at http://HOST:PORT/metrics while it lasts; port 0: a free one, printed at the start");
  options.text("--metrics-linger", flags.metrics_linger, "TIME",
               "Longest wait after the run for one more scrape; 0s: none (default 30s, none after Ctrl-C)");
}

Read read_export_flags(const ExportFlags& flags, ExportOptions& exports) {
  if (auto read = read_statsd(flags, exports); !read) return read;
  if (auto read = read_prometheus(flags, exports); !read) return read;
  if (auto read = read_grafana(flags, exports); !read) return read;
  return read_influx(flags, exports);
}

}  // namespace loadgen
