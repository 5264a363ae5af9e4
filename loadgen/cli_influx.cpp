#include "loadgen/cli_influx.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include "loadgen/cli_options.hpp"
#include "loadgen/credentials.hpp"
#include "loadgen/plan/text.hpp"

namespace loadgen {
namespace {

using exporters::Compression;
using exporters::InfluxApi;
using exporters::InfluxTarget;
using Read = Result<void, std::string>;
using Target = std::optional<InfluxTarget>;

Read refuse(const char* flag, const std::string& message) {
  return {boost::system::in_place_error, fmt::format("{}: {}", flag, message)};
}

/// Without --influx none of the others means anything.
Read read_nothing(const InfluxFlags& flags) {
  for (const auto& [flag, value] : {std::pair("--influx-credentials", &flags.credentials),
                                    {"--influx-api", &flags.api},
                                    {"--influx-org", &flags.organisation},
                                    {"--influx-rp", &flags.retention_policy},
                                    {"--influx-gzip", &flags.gzip}})
    if (*value) return refuse(flag, "needs --influx http://HOST:PORT/DB");
  return {};
}

/// A name that goes into requests to the server.
Read read_name(const char* flag, const std::optional<std::string>& text, std::string& name) {
  if (!text) return {};
  if (text->empty() || text->size() > 255 || !is_utf8(*text) || has_control_character(*text))
    return refuse(flag, "must be 1 to 255 printable characters");
  name = *text;
  return {};
}

Read read_api(const InfluxFlags& flags, InfluxTarget& target) {
  // An organisation is something only v2 has.
  const auto api = exporters::parse_influx_api(flags.api.value_or(flags.organisation ? "v2" : "v1"));
  if (!api) return refuse("--influx-api", fmt::format("must be v1, v2 or v3, is '{}'", *flags.api));
  target.api = *api;
  if (auto read = read_name("--influx-org", flags.organisation, target.organisation); !read) return read;
  if (auto read = read_name("--influx-rp", flags.retention_policy, target.retention_policy); !read) return read;
  if (*api == InfluxApi::v2 && !flags.organisation)
    return refuse("--influx-org", "is missing: InfluxDB 2 keeps buckets by organisation");
  if (*api != InfluxApi::v2 && flags.organisation)
    return refuse("--influx-org", fmt::format("goes with --influx-api v2 only, not with {}", label(*api)));
  if (*api != InfluxApi::v1 && flags.retention_policy)
    return refuse("--influx-rp", fmt::format("goes with --influx-api v1 only, not with {}", label(*api)));
  return {};
}

Read read_gzip(const InfluxFlags& flags, InfluxTarget& target) {
  const std::string word = flags.gzip.value_or("auto");
  if (word != "auto" && word != "on" && word != "off")
    return refuse("--influx-gzip", fmt::format("must be on, off or auto, is '{}'", word));
  target.compression = word == "auto" ? exporters::usual_compression(target.url)
                       : word == "on" ? Compression::gzip
                                      : Compression::none;
  return {};
}

Read read_secrets(const InfluxFlags& flags, InfluxTarget& target) {
  const auto credentials = read_credentials(flags.credentials, [](const char* name) { return std::getenv(name); });
  if (!credentials) return refuse(flags.credentials ? "--influx-credentials" : "environment", credentials.error());
  if (!credentials->warning.empty()) fmt::print(stderr, "warning: {}\n", credentials->warning);
  target.credentials.user = credentials->user;
  target.credentials.password = credentials->password;
  target.credentials.token = credentials->token;
  return {};
}

}  // namespace

void add_influx_flags(CLI::App& app, InfluxFlags& flags, const char* group) {
  OptionGroup options(app, group);
  options.text("--influx", flags.url, "URL", "Also store points in InfluxDB, http://HOST:PORT/DB (v2: /BUCKET)");
  options.text("--influx-api", flags.api, "v1|v2|v3", "Its generation (default v1; with --influx-org v2)");
  options.text("--influx-org", flags.organisation, "ORG", "v2: the organisation of the bucket");
  options.text("--influx-rp", flags.retention_policy, "NAME",
               "v1: write into this retention policy (default: the database's)");
  options.text("--influx-gzip", flags.gzip, "on|off|auto",
               "Compress what is sent (default auto: unless it is this machine)");
  options.text("--influx-credentials", flags.credentials, "FILE", "Credentials for --influx");
}

Result<Target, std::string> read_influx_flags(const InfluxFlags& flags) {
  const auto failed = [](const std::string& error) -> Result<Target, std::string> {
    return {boost::system::in_place_error, error};
  };
  if (!flags.url) {
    if (auto read = read_nothing(flags); !read) return failed(read.error());
    return Target();
  }
  const auto url = exporters::parse_influx_url(*flags.url);
  if (!url) return failed("--influx: " + url.error());
  InfluxTarget target;
  target.url = *url;
  for (const auto read : {&read_api, &read_gzip, &read_secrets})
    if (auto done = read(flags, target); !done) return failed(done.error());
  return Target(std::move(target));
}

}  // namespace loadgen
