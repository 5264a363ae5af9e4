// Which InfluxDB, which of its interfaces and under which name: everything a writer or a reader of it needs to know.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "exporters/http_client.hpp"
#include "exporters/influx_url.hpp"

namespace exporters {

/// The generations differ in paths, in how a token is presented, in query language and in what a refusal means.
enum class InfluxApi : std::uint8_t {
  v1,  ///< /write, InfluxQL; also what VictoriaMetrics and later generations offer for compatibility
  v2,  ///< /api/v2/write with organisation and bucket, Flux
  v3,  ///< /api/v3/write_lp, SQL
};

/// "v1", "v2", "v3".
std::string_view label(InfluxApi api) noexcept;
std::optional<InfluxApi> parse_influx_api(std::string_view text) noexcept;

enum class Compression : std::uint8_t {
  none,
  gzip,  ///< level 1: a sixth of the bytes, for time that only a network is slower than
};

struct InfluxTarget {
  InfluxUrl url;  ///< with the name of the database, or of the bucket
  HttpCredentials credentials;
  std::chrono::milliseconds request_timeout{10'000};
  InfluxApi api = InfluxApi::v1;
  std::string organisation{};      ///< v2
  std::string retention_policy{};  ///< v1; empty: the database's default
  Compression compression = Compression::none;
};

/// Path and query of a write of nanosecond points.
std::string write_path(const InfluxTarget& target);

/// The credentials as this generation wants to see them: a token is called Bearer from v3 on.
HttpCredentials credentials_for(const InfluxTarget& target);

/// What pays: nothing on loopback, gzip over a network.
Compression usual_compression(const InfluxUrl& url);

}  // namespace exporters
