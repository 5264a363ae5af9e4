#include "loadgen/export/json_text.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

namespace loadgen {
namespace {

std::string as_json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

TEST(JsonText, EscapesWhatJsonCannotHold) {
  EXPECT_EQ(as_json("plain text"), R"("plain text")");
  EXPECT_EQ(as_json("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(as_json("\n\r\t\x01\x1f\x7f"), R"("\n\r\t\u0001\u001f\u007f")");
  EXPECT_EQ(as_json(std::string_view("a\0b", 3)), R"("a\u0000b")");
  EXPECT_EQ(as_json(""), R"("")");
}

TEST(JsonText, KeepsUtf8AndReplacesWhatIsNot) {
  EXPECT_EQ(as_json("什么是 é 😀"), "\"什么是 é 😀\"");
  EXPECT_EQ(as_json("a\xff"
                    "b"),
            "\"a\xEF\xBF\xBD"
            "b\"");
  EXPECT_EQ(as_json("\xe4\xbb"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"") << "cut in the middle of a character";
  EXPECT_EQ(as_json("\xc0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"") << "overlong";
  EXPECT_EQ(as_json("\xed\xa0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"") << "surrogate";
}

TEST(JsonText, PropertyAnyBytesGiveValidJson) {
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes;
    for (auto i = random() % 24; i > 0; --i) bytes += static_cast<char>(random());
    EXPECT_TRUE(nlohmann::json::accept(as_json(bytes)));
  }
}

TEST(JsonText, NumbersReadBackTheSame) {
  const auto shown = [](auto value) {
    std::string out;
    append_json_number(out, value);
    return out;
  };
  EXPECT_EQ(shown(0.1), "0.1");
  EXPECT_EQ(shown(81.25), "81.25");
  EXPECT_EQ(shown(std::nan("")), "null");
  EXPECT_EQ(shown(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(shown(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(shown(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
}

TEST(JsonText, ObjectsKeepTheOrderOfTheCalls) {
  std::string out;
  JsonObjectText object(out);
  object.text("b", "x").number("a", 1).boolean("c", false).null("d");
  object.object("e", [](JsonObjectText& inner) { inner.number("f", 0.5); }).object("g", [](JsonObjectText&) {});
  object.end();
  EXPECT_EQ(out, R"({"b":"x","a":1,"c":false,"d":null,"e":{"f":0.5},"g":{}})");
}

}  // namespace
}  // namespace loadgen
