// The same database as each generation of InfluxDB wants to be addressed.
#include "exporters/influx_target.hpp"

#include <gtest/gtest.h>

#include "exporters/tests/must.hpp"

namespace exporters {
namespace {

InfluxTarget target_of(InfluxApi api, const std::string& url = "http://h:1/a%20b") {
  InfluxTarget target;
  target.url = must(parse_influx_url(url));
  target.api = api;
  target.organisation = "my org&co";
  target.credentials.token = "t";
  return target;
}

TEST(InfluxTarget, paths_carry_names_that_cannot_become_parameters) {
  EXPECT_EQ(write_path(target_of(InfluxApi::v1)), "/write?db=a%20b&precision=ns");
  EXPECT_EQ(write_path(target_of(InfluxApi::v2)), "/api/v2/write?org=my%20org%26co&bucket=a%20b&precision=ns");
  EXPECT_EQ(write_path(target_of(InfluxApi::v3)), "/api/v3/write_lp?db=a%20b&precision=nanosecond");
  InfluxTarget with_policy = target_of(InfluxApi::v1);
  with_policy.retention_policy = "30 d";
  EXPECT_EQ(write_path(with_policy), "/write?db=a%20b&rp=30%20d&precision=ns");
}

TEST(InfluxTarget, a_token_is_called_bearer_from_v3_on) {
  EXPECT_EQ(credentials_for(target_of(InfluxApi::v1)).token_scheme, "Token");
  EXPECT_EQ(credentials_for(target_of(InfluxApi::v2)).token_scheme, "Token");
  EXPECT_EQ(credentials_for(target_of(InfluxApi::v3)).token_scheme, "Bearer");
}

TEST(InfluxTarget, generations_have_names) {
  for (const InfluxApi api : {InfluxApi::v1, InfluxApi::v2, InfluxApi::v3})
    EXPECT_EQ(parse_influx_api(label(api)), api);
  for (const char* text : {"", "1", "v4", "V1", "v1 "}) EXPECT_EQ(parse_influx_api(text), std::nullopt) << text;
}

TEST(InfluxTarget, compresses_where_there_is_a_network) {
  for (const char* url : {"http://127.0.0.1:1/x", "http://localhost:1/x", "http://[::1]:1/x", "http://127.8.8.8:1/x"})
    EXPECT_EQ(usual_compression(must(parse_influx_url(url))), Compression::none) << url;
  for (const char* url : {"http://influx:1/x", "http://10.0.0.1:1/x", "https://[2001:db8::1]:1/x"})
    EXPECT_EQ(usual_compression(must(parse_influx_url(url))), Compression::gzip) << url;
}

}  // namespace
}  // namespace exporters
