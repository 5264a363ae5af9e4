// The vectors of RFC 4648 section 10, and what is refused.
#include "exporters/base64.hpp"

#include <gtest/gtest.h>

namespace exporters {
namespace {

TEST(Base64, has_the_rfcs_vectors) {
  const std::vector<std::pair<std::string, std::string>> table = {{"", ""},
                                                                  {"f", "Zg=="},
                                                                  {"fo", "Zm8="},
                                                                  {"foo", "Zm9v"},
                                                                  {"foob", "Zm9vYg=="},
                                                                  {"fooba", "Zm9vYmE="},
                                                                  {"foobar", "Zm9vYmFy"},
                                                                  {std::string("\xff\xfe\x00", 3), "//4A"},
                                                                  {"\xfb\xef", "++8="}};
  for (const auto& [bytes, text] : table) {
    std::string out = "kept ";
    append_base64(out, bytes);
    EXPECT_EQ(out, "kept " + text);
    EXPECT_EQ(decode_base64(text).value(), bytes);
  }
}

TEST(Base64, refuses_everything_else) {
  for (const auto* text : {"Z", "Zg", "Zg=", "Zg===", "Z===", "====", "Zm9v\n", "Zm 9", "Zm-v", "Zm_v",
                           "Zh==", "Zm9=", "=Zm9", "Zm=v", "Zg==Zg=="})
    EXPECT_FALSE(decode_base64(text)) << text;
}

}  // namespace
}  // namespace exporters
