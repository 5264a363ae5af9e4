// URLs of targets: parts of the good, reasons of the bad.
#include "loadgen/plan/target.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace loadgen {
namespace {

TEST(Target, SplitsUrls) {
  struct Case {
    const char *url, *host;
    int port;
    const char *authority, *base, *kept;
  };
  const Case cases[] = {
      {"http://127.0.0.1:8080", "127.0.0.1", 8080, "127.0.0.1:8080", "", "http://127.0.0.1:8080"},
      {"http://model-a.example.org/", "model-a.example.org", 80, "model-a.example.org", "",
       "http://model-a.example.org"},
      {"http://h:1/v2/tgi/", "h", 1, "h:1", "/v2/tgi", "http://h:1/v2/tgi"},
      {"http://[::1]:65535/x", "::1", 65535, "[::1]:65535", "/x", "http://[::1]:65535/x"},
      {"http://[fe80::1]", "fe80::1", 80, "[fe80::1]", "", "http://[fe80::1]"},
  };
  for (const Case& c : cases) {
    const auto target = parse_target(c.url);
    ASSERT_TRUE(target.has_value()) << target.error();
    EXPECT_EQ(target->host, c.host);
    EXPECT_EQ(target->port, c.port);
    EXPECT_EQ(target->authority, c.authority);
    EXPECT_EQ(target->base_path, c.base);
    EXPECT_EQ(target->url, c.kept);
  }
}

TEST(Target, NamesUnixSocketsByTheirPath) {
  const auto target = parse_target("unix:/run/server.sock");
  ASSERT_TRUE(target.has_value()) << target.error();
  EXPECT_EQ(target->unix_path, "/run/server.sock");
  EXPECT_EQ(target->authority, "localhost");
  EXPECT_EQ(target->base_path, "");
  EXPECT_EQ(target->url, "unix:/run/server.sock");
  for (const std::string& bad :
       {std::string("unix:"), std::string("unix:run/s"), std::string("unix:/a b"), "unix:/" + std::string(107, 'a')}) {
    EXPECT_FALSE(parse_target(bad).has_value()) << bad;
  }
}

TEST(Target, RefusesWhatCouldNotBeSent) {
  for (const char* url : {"",           "http://",          "http:///x",    "http://:80",
                          "h:80",       "ftp://h",          "HTTP://h",     "http://h:",
                          "http://h:0", "http://h:65536",   "http://h:-1",  "http://h:8 0",
                          "http://h h", "http://h\r\nx: y", "http://h/a b", "http://h/\n",
                          "http://h?x", "http://h/#x",      "http://[::1",  "http://[::1]x",
                          "http://[]",  "http://[zz]",      "http://a:b:c", "http://ü"}) {
    EXPECT_FALSE(parse_target(url).has_value()) << url;
  }
  EXPECT_FALSE(parse_target("http://" + std::string(3000, 'a')).has_value());
  EXPECT_FALSE(parse_target("http://" + std::string(300, 'a')).has_value());
}

TEST(Target, NeverRepeatsAPassword) {
  const auto target = parse_target("http://user:hunter2@h");
  ASSERT_FALSE(target.has_value());
  EXPECT_THAT(target.error(), testing::HasSubstr("credentials"));
  EXPECT_EQ(target.error().find("hunter2"), std::string::npos);
}

}  // namespace
}  // namespace loadgen
