// Addresses of IPv6 in HOST:PORT: what stands between the brackets, and that it is written back as it was read.
#include "exporters/host_port.hpp"

#include <gtest/gtest.h>

namespace exporters {
namespace {

TEST(HostPort, addresses_in_brackets_are_written_back_as_they_were) {
  for (const std::string text : {"[::1]:8125", "[fe80::1%eth0]:8125", "[::ffff:10.0.0.1]:1", "[2001:DB8::1%2]:0"}) {
    const auto parsed = parse_host_port(text);
    ASSERT_TRUE(parsed) << text << ": " << parsed.error();
    EXPECT_EQ(parsed->text(), text);
  }
}

TEST(HostPort, nothing_but_an_address_goes_into_brackets) {
  for (const std::string text : {"[a%b]:1", "[localhost]:1", "[127.0.0.1]:1", "[::1%]:1", "[%eth0]:1", "[::1%a b]:1",
                                 "[:::1]:1", "[1:2]:1", "[]:1", "[::1]]:1"}) {
    const auto parsed = parse_host_port(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_NE(parsed.error().find("HOST:PORT"), std::string::npos) << parsed.error();
  }
}

}  // namespace
}  // namespace exporters
