// What a database URL may look like, and what is said about every other one.
#include "exporters/influx_url.hpp"

#include <gtest/gtest.h>

#include "exporters/tests/must.hpp"

namespace exporters {
namespace {

TEST(InfluxUrl, happy) {
  const auto plain = must(parse_influx_url("http://127.0.0.1:8086/llm"));
  EXPECT_EQ(plain.host, "127.0.0.1");
  EXPECT_EQ(plain.port, 8086);
  EXPECT_EQ(plain.database, "llm");
  EXPECT_EQ(plain.server(), "http://127.0.0.1:8086");
  EXPECT_EQ(plain.text(), "http://127.0.0.1:8086/llm");

  const auto ipv6 = must(parse_influx_url("https://[2001:db8::1]:65535/a-b_c.D9"));
  EXPECT_EQ(ipv6.host, "2001:db8::1");
  EXPECT_EQ(ipv6.server(), "https://[2001:db8::1]:65535");
  EXPECT_EQ(ipv6.database, "a-b_c.D9");

  EXPECT_EQ(must(parse_influx_url("http://influx.example.org:1/x")).host, "influx.example.org");

  const auto encoded = must(parse_influx_url("http://h:1/load%20tests%2f%E4%BD%A0%25"));
  EXPECT_EQ(encoded.database, "load tests/\xe4\xbd\xa0%");
  EXPECT_EQ(encoded.text(), "http://h:1/load%20tests%2F%E4%BD%A0%25");
}

TEST(InfluxUrl, sad) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"", "no http://"},
      {"127.0.0.1:8086/llm", "no http://"},
      {"ftp://h:1/db", "scheme"},
      {"HTTP://h:1/db", "scheme"},
      {"http://user:secret@h:8086/db", "credentials"},
      {"http://h:8086", "database is missing"},
      {"http://h:8086/", "database name"},
      {"http://h:8086/a/b", "database name"},
      {"http://h:8086/a?u=x", "database name"},
      {"http://h:8086/a b", "database name"},
      {"http://h:8086/a\"b", "database name"},
      {"http://h:8086/a%2", "database name"},
      {"http://h:8086/a%zz", "database name"},
      {"http://h:8086/%0a", "database name"},
      {"http://h:8086/%7F", "database name"},
      {"http://h:8086/a/b", "database name"},
      {"http://h:8086/a\nb", "database name"},
      {"http://h/db", "host or the port"},
      {"http://:8086/db", "host or the port"},
      {"http://::1:8086/db", "host or the port"},
      {"http://[::1]/db", "host or the port"},
      {"http://[::1/db", "host or the port"},
      {"http://[nonsense]:1/db", "host or the port"},
      {"http://h h:1/db", "host or the port"},
      {"http://h:/db", "port is not"},
      {"http://h:0/db", "port is not"},
      {"http://h:65536/db", "port is not"},
      {"http://h:-1/db", "port is not"},
      {"http://h:80x/db", "port is not"},
      {"http://h:+80/db", "port is not"},
  };
  for (const auto& [text, cause] : table) {
    const auto url = parse_influx_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_NE(url.error().find(cause), std::string::npos) << text << " -> " << url.error();
    EXPECT_NE(url.error().find("http://HOST:PORT/DB"), std::string::npos) << url.error();
    EXPECT_EQ(url.error().find("secret"), std::string::npos);
  }
}

}  // namespace
}  // namespace exporters
