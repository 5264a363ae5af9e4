// Units are deterministic, lossless and safe for any bytes.
#include "tokenizer/text_units.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

namespace tokenizer {
namespace {

using ::testing::ElementsAre;

std::string joined(std::string_view text) {
  std::string out;
  for (std::string_view unit : split_units(text)) out += unit;
  return out;
}

TEST(TextUnits, WordsTakeTheirLeadingSpace) {
  EXPECT_THAT(split_units("The capital of France is"), ElementsAre("The", " capital", " of", " France", " is"));
  EXPECT_THAT(split_units("  two  spaces "), ElementsAre(" ", " two", " ", " spaces", " "));
  EXPECT_THAT(split_units("a\n\n b"), ElementsAre("a", "\n\n", " b"));
}

TEST(TextUnits, PunctuationAndNumbersStandAlone) {
  EXPECT_THAT(split_units("Hi, there! (12345)"), ElementsAre("Hi", ",", " there", "!", " (", "123", "45", ")"));
}

TEST(TextUnits, EveryCjkCharacterIsAUnit) {
  EXPECT_THAT(split_units("人工智能?"), ElementsAre("人", "工", "智", "能", "?"));
  EXPECT_EQ(count_units("请总结:こんにちは 한국"), 12U);
  EXPECT_THAT(split_units("a 人"), ElementsAre("a", " ", "人"));
  EXPECT_THAT(split_units("\U0001F600\U0001F600"), ElementsAre("\U0001F600", "\U0001F600"));
}

TEST(TextUnits, AccentedWordsStayTogetherAndLongOnesAreCut) {
  EXPECT_THAT(split_units("Größe naïve"), ElementsAre("Größe", " naïve"));
  EXPECT_EQ(count_units(std::string(33, 'a')), 3U);
}

TEST(TextUnits, EmptyTextHasNone) {
  EXPECT_EQ(count_units(""), 0U);
  EXPECT_TRUE(split_units("").empty());
  EXPECT_EQ(last_units("", 3), "");
}

TEST(TextUnits, InvalidBytesAreOneUnitEach) {
  const std::string cases[] = {
      "\xff\xfe",          // never valid
      "\x80\x80",          // continuation without a start
      "\xc0\xaf",          // overlong
      "\xed\xa0\x80",      // surrogate
      "\xf4\x90\x80\x80",  // above U+10FFFF
      "\xe4\xba",          // cut off at the end
  };
  for (const std::string& text : cases) {
    EXPECT_EQ(count_units(text), text.size());
    EXPECT_EQ(joined(text), text);
  }
  EXPECT_THAT(split_units("a\xe4\xba"
                          "b"),
              ElementsAre("a", "\xe4", "\xba", "b"));
  EXPECT_THAT(split_units(std::string("a\0b", 3)), ElementsAre("a", std::string(1, '\0'), "b"));
}

TEST(TextUnits, AnyBytesAreSplitWithoutLoss) {
  std::mt19937 random(7);  // NOLINT: the same bytes every run
  for (int round = 0; round < 500; ++round) {
    std::string text(round % 97, ' ');
    for (char& c : text) c = static_cast<char>(random() % 256);
    EXPECT_EQ(joined(text), text);
    EXPECT_EQ(count_units(text), split_units(text).size());
  }
}

TEST(TextUnits, LastUnitsKeepTheEnd) {
  EXPECT_EQ(last_units("one two three", 2), " two three");
  EXPECT_EQ(last_units("one two three", 0), "");
  EXPECT_EQ(last_units("one two three", 9), "one two three");
}

}  // namespace
}  // namespace tokenizer
