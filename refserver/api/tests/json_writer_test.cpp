// Scalars byte for byte (TGI 3.3.7).
#include "refserver/api/json_writer.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace refserver {
namespace {

std::string json(std::string_view text) {
  std::string out;
  append_json_string(text, out);
  return out;
}

std::string f32(float value) {
  std::string out;
  append_f32(value, out);
  return out;
}

TEST(JsonWriter, EscapesOnlyWhatMustBe) {
  EXPECT_EQ(json("plain / \x7f 你好"), "\"plain / \x7f 你好\"");
  EXPECT_EQ(json("\"\\\n\r\t\b\f"), R"("\"\\\n\r\t\b\f")");
  EXPECT_EQ(json(std::string_view("\0\x1f", 2)), R"("\u0000\u001f")");
  EXPECT_EQ(json(""), "\"\"");
}

TEST(JsonWriter, FloatsAreTheShortestThatReadBack) {
  EXPECT_EQ(f32(-0.34F), "-0.34");
  EXPECT_EQ(f32(-2.25F), "-2.25");
  EXPECT_EQ(f32(0.0F), "0.0");
  EXPECT_EQ(f32(-1.0F), "-1.0");
  EXPECT_EQ(f32(-0.000064492226F), "-0.000064492226");
  EXPECT_EQ(f32(-1.1920929e-7F), "-1.1920929e-7");
  EXPECT_EQ(f32(-3.4e38F), "-3.4e38");
  EXPECT_EQ(f32(std::numeric_limits<float>::infinity()), "null");
  EXPECT_EQ(f32(std::numeric_limits<float>::quiet_NaN()), "null");
}

TEST(JsonWriter, DebugQuotingForErrorTexts) {
  EXPECT_EQ(quoted_debug("a\"\\\n\x01\x7f"), R"("a\"\\\n\u{1}\u{7f}")");
}

}  // namespace
}  // namespace refserver
