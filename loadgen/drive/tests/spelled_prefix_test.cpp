// A text found at the start of a JSON string, in every way it can be spelled.
#include "loadgen/drive/spelled_prefix.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace loadgen {
namespace {

TEST(SpelledPrefix, IsFoundHoweverItIsEscaped) {
  const std::string plain = "a\"b\\c/d\n\t\r\b\f\x01é你😀";
  for (const bool only_ascii : {true, false}) {
    const std::string quoted = nlohmann::json(plain).dump(-1, ' ', only_ascii);
    const std::string raw = quoted.substr(1, quoted.size() - 2);
    EXPECT_EQ(spelled_prefix(raw, plain), raw.size());
    EXPECT_EQ(spelled_prefix(raw + " and more", plain), raw.size());
    EXPECT_EQ(spelled_prefix(raw, plain + "x"), 0U) << "the string ends before";
    for (std::size_t cut = 0; cut < raw.size(); ++cut) EXPECT_EQ(spelled_prefix(raw.substr(0, cut), plain), 0U) << cut;
  }
  EXPECT_EQ(spelled_prefix("\\u0061\\/\\uD83D\\uDE00!", "a/😀"), 20U);
}

TEST(SpelledPrefix, IsNotFoundWhereItIsNot) {
  EXPECT_EQ(spelled_prefix("abc", ""), 0U);
  EXPECT_EQ(spelled_prefix("", "a"), 0U);
  EXPECT_EQ(spelled_prefix("b", "a"), 0U);
  for (const char* broken :
       {"\\", "\\u", "\\u00", "\\u00g1", "\\q", "\\ud83d", "\\ud83d\\u0041", "\\ude00", "\\ud83dx"})
    EXPECT_EQ(spelled_prefix(broken, "😀"), 0U) << broken;
}

}  // namespace
}  // namespace loadgen
