#include "exporters/influx_target.hpp"

namespace exporters {

std::string_view label(InfluxApi api) noexcept {
  switch (api) {
    case InfluxApi::v1:
      return "v1";
    case InfluxApi::v2:
      return "v2";
    case InfluxApi::v3:
      return "v3";
  }
  return "unknown";
}

std::optional<InfluxApi> parse_influx_api(std::string_view text) noexcept {
  for (const InfluxApi api : {InfluxApi::v1, InfluxApi::v2, InfluxApi::v3})
    if (text == label(api)) return api;
  return std::nullopt;
}

std::string write_path(const InfluxTarget& target) {
  const std::string name = percent_encoded(target.url.database);
  switch (target.api) {
    case InfluxApi::v1:
      return "/write?db=" + name +
             (target.retention_policy.empty() ? "" : "&rp=" + percent_encoded(target.retention_policy)) +
             "&precision=ns";
    case InfluxApi::v2:
      return "/api/v2/write?org=" + percent_encoded(target.organisation) + "&bucket=" + name + "&precision=ns";
    case InfluxApi::v3:
      return "/api/v3/write_lp?db=" + name + "&precision=nanosecond";
  }
  return {};
}

HttpCredentials credentials_for(const InfluxTarget& target) {
  HttpCredentials credentials = target.credentials;
  credentials.token_scheme = target.api == InfluxApi::v3 ? "Bearer" : "Token";
  return credentials;
}

Compression usual_compression(const InfluxUrl& url) {
  const bool is_loopback = url.host == "localhost" || url.host == "::1" || url.host.starts_with("127.");
  return is_loopback ? Compression::none : Compression::gzip;
}

}  // namespace exporters
