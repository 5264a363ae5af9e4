// Python's str on UTF-8: white space, splitting, case.
#include "refserver/chat/jinja/text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "refserver/chat/jinja/print.hpp"

namespace refserver::jinja {
namespace {

using ::testing::ElementsAre;

TEST(JinjaText, WhiteSpaceIsPythons) {
  std::string spaces;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (is_space(c)) spaces += std::to_string(static_cast<unsigned>(c)) + " ";
  }
  EXPECT_EQ(
      spaces,
      "9 10 11 12 13 28 29 30 31 32 133 160 5760 8192 8193 8194 8195 8196 8197 8198 8199 8200 8201 8202 8232 8233 8239 "
      "8287 12288 ");
  EXPECT_EQ(strip("\u3000\u00a0 a\u200b \x1f\u2028", Sides::both), "a\u200b");
  EXPECT_EQ(strip("xyxaxy", Sides::left, "yx"), "axy");
  EXPECT_EQ(strip("ééaé", Sides::right, "é"), "ééa");
}

TEST(JinjaText, Utf8IsChecked) {
  for (const char* good : {"", "a", "é", "你", "\U0001f600", "\U0010ffff", "\ued9f"})
    EXPECT_TRUE(is_utf8(good)) << good;
  for (const char* bad : {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
                          "\xf4\x90\x80\x80", "\xff", "a\xe4\xbd"}) {
    EXPECT_FALSE(is_utf8(bad)) << bad;
  }
}

TEST(JinjaText, SplittingCutsWherePythonCuts) {
  EXPECT_THAT(split("  a \u3000 b  c ", -1), ElementsAre("a", "b", "c"));
  EXPECT_THAT(split("  a  b  c ", 1), ElementsAre("a", "b  c "));
  EXPECT_THAT(split("   ", 0), ElementsAre());
  EXPECT_THAT(split_from_right("  a  b  c ", 1), ElementsAre("  a  b", "c"));
  EXPECT_THAT(split("a,,b,", ",", -1), ElementsAre("a", "", "b", ""));
  EXPECT_THAT(split("a,b,c", ",", 1), ElementsAre("a", "b,c"));
  EXPECT_THAT(split_from_right("a,b,c", ",", 1), ElementsAre("a,b", "c"));
  EXPECT_THAT(split_lines("a\nb\r\nc\rd\u2028e\x1c", LineEnds::drop), ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_THAT(split_lines("a\r\n\nb", LineEnds::keep), ElementsAre("a\r\n", "\n", "b"));
}

TEST(JinjaText, ReplacingCounts) {
  EXPECT_EQ(replace_all("aaa", "a", "b", 2), "bba");
  EXPECT_EQ(replace_all("é你", "", "-", -1), "-é-你-");
  EXPECT_EQ(replace_all("abc", "", "-", 2), "-a-bc");
  EXPECT_EQ(replace_all("abc", "", "-", 3), "-a-b-c");
  EXPECT_EQ(count_occurrences("aaaa", "aa"), 2U);
  EXPECT_EQ(count_occurrences("é你", ""), 3U);
}

TEST(JinjaText, CaseFollowsUnicode) {
  EXPECT_EQ(to_upper("straße ŉ ﬁ ǆ ΐ"), "STRASSE ʼN FI Ǆ \u0399\u0308\u0301");
  EXPECT_EQ(to_lower("ΑΣ ΑΣΑ Σ İ Ǆ ẞ"), "ας ασα σ i̇ ǆ ß");
  EXPECT_EQ(to_title("they're ǆ ﬁ ßa"), "They'Re ǅ Fi Ssa");
  EXPECT_EQ(to_capitalized("ǆABC"), "ǅabc");
  EXPECT_EQ(letter_case(U'ª'), LetterCase::lower);
  EXPECT_EQ(letter_case(U'你'), LetterCase::none);
  EXPECT_EQ(letter_case(U'ǅ'), LetterCase::title);
}

TEST(JinjaText, FloatsAndTextsAreShownAsPythonShowsThem) {
  EXPECT_EQ(show_real(1), "1.0");
  EXPECT_EQ(show_real(0.1), "0.1");
  EXPECT_EQ(show_real(1e15), "1000000000000000.0");
  EXPECT_EQ(show_real(1e16), "1e+16");
  EXPECT_EQ(show_real(0.0001), "0.0001");
  EXPECT_EQ(show_real(0.00001), "1e-05");
  EXPECT_EQ(show_real(-0.0), "-0.0");
  EXPECT_EQ(show_real(1.7976931348623157e308), "1.7976931348623157e+308");
  EXPECT_EQ(show_real(5e-324), "5e-324");
  EXPECT_EQ(quoted("it's"), "\"it's\"");
  EXPECT_EQ(quoted("'\""), R"('\'"')");
  EXPECT_EQ(quoted("é\n\x01\u200b\U000e0001\u00a0"), R"('é\n\x01\u200b\U000e0001\xa0')");
}

}  // namespace
}  // namespace refserver::jinja
