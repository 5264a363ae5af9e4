#include "loadgen/cli_exports.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "exporters/influx_url.hpp"
#include "loadgen/credentials.hpp"
#include "loadgen/export/grafana_links.hpp"

namespace loadgen {
namespace {

using Read = Result<void, std::string>;

Read refuse(const char* flag, const std::string& message) {
  return {boost::system::in_place_error, fmt::format("{}: {}", flag, message)};
}

Read read_influx(const ExportFlags& flags, ExportOptions& exports) {
  if (!flags.influx)
    return flags.influx_credentials ? refuse("--influx-credentials", "needs --influx http://HOST:PORT/DB") : Read();
  if (const auto url = exporters::parse_influx_url(*flags.influx); !url) return refuse("--influx", url.error());
  exports.influx_url = *flags.influx;
  const auto credentials =
      read_credentials(flags.influx_credentials, [](const char* name) { return std::getenv(name); });
  if (!credentials)
    return refuse(flags.influx_credentials ? "--influx-credentials" : "environment", credentials.error());
  if (!credentials->warning.empty()) fmt::print(stderr, "warning: {}\n", credentials->warning);
  exports.influx_user = credentials->user;
  exports.influx_password = credentials->password;
  exports.influx_token = credentials->token;
  return {};
}

Read read_grafana(const ExportFlags& flags, ExportOptions& exports) {
  if (!flags.grafana_url) return {};
  const auto url = parse_grafana_url(*flags.grafana_url);
  if (!url) return refuse("--grafana-url", url.error());
  exports.grafana_url = *url;
  return {};
}

}  // namespace

void add_export_flags(CLI::App& app, ExportFlags& flags) {
  const char* const group = "Where numbers go";
  const auto add = [&](const char* name, std::optional<std::string>& value, const char* type, const char* help) {
    app.add_option_function<std::string>(
           name, [&value](const std::string& text) { value = text; }, help)
        ->type_name(type)
        ->group(group);
  };
  add("--influx", flags.influx, "URL", "Also store points in InfluxDB, http://HOST:PORT/DB");
  add("--influx-credentials", flags.influx_credentials, "FILE", "Credentials for --influx");
  add("--grafana-url", flags.grafana_url, "URL", "Put links to this run in Grafana into summary.json and report.html");
}

Read read_export_flags(const ExportFlags& flags, ExportOptions& exports) {
  if (auto read = read_grafana(flags, exports); !read) return read;
  return read_influx(flags, exports);
}

}  // namespace loadgen
