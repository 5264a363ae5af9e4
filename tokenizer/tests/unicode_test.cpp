// UTF-8 steps, character classes and form C.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tokenizer/unicode/code_points.hpp"
#include "tokenizer/unicode/nfc.hpp"
#include "tokenizer/unicode/utf8.hpp"

namespace tokenizer {
namespace {

TEST(Utf8, EachMaximalInvalidPartIsOneReplacement) {
  const std::string r(kReplacement);
  EXPECT_EQ(replace_invalid("a\u00E9\u4E00\U0001F600z"), "a\u00E9\u4E00\U0001F600z");
  EXPECT_EQ(replace_invalid("\x80"), r);
  EXPECT_EQ(replace_invalid("\xC0\xAF"), r + r);                  // never lead bytes
  EXPECT_EQ(replace_invalid("\xE0\x80\x80"), r + r + r);          // overlong
  EXPECT_EQ(replace_invalid("\xED\xA0\x80"), r + r + r);          // surrogate
  EXPECT_EQ(replace_invalid("\xF4\x90\x80\x80"), r + r + r + r);  // past U+10FFFF
  EXPECT_EQ(replace_invalid("\xF0\x9F\x98z"), r + "z");           // three bytes that could have become one
  EXPECT_EQ(replace_invalid("\xF0\x9F\x98"), r);
  EXPECT_EQ(replace_invalid("\xE4\xB8\xE4\xB8\x80"), r + "\u4E00");
  EXPECT_EQ(valid_utf8_size("12345678\u4E00\u4E00\xFF"), 14U);
}

TEST(Utf8, CutIsWhatMoreBytesCouldMend) {
  EXPECT_EQ(utf8_step("\xE4\xB8", 0).kind, Utf8::cut);
  EXPECT_EQ(utf8_step("\xF0", 0).kind, Utf8::cut);
  EXPECT_EQ(utf8_step("\xE0\x80", 0).kind, Utf8::invalid);
  EXPECT_EQ(utf8_step("\xFF", 0).kind, Utf8::invalid);
  EXPECT_EQ(utf8_step("\xF0\x9F\x98", 0).bytes, 3U);
}

TEST(Utf8, PointsComeBack) {
  for (char32_t point = 0; point <= 0x10FFFF; point += 7) {
    if (point >= 0xD800 && point < 0xE000) continue;
    std::string text;
    append_utf8(point, text);
    ASSERT_EQ(valid_utf8_size(text), text.size());
    ASSERT_EQ(utf8_point(text.data()).code, point);
    ASSERT_EQ(utf8_point(text.data()).bytes, text.size());
  }
}

TEST(CodePoints, HaveTheirClasses) {
  const CodePoints& table = CodePoints::table();
  const auto is = [&table](char32_t c, std::uint8_t trait) { return (table.traits(c) & trait) != 0; };
  for (const char32_t c : {U'a', U'\u00AA', U'\u4E00', U'\u02B0', U'\U00020000', U'\U0001E900'}) {
    EXPECT_TRUE(is(c, CodePoints::kLetter));
  }
  for (const char32_t c : {U'1', U'\u00BD', U'\u2160', U'\u0663'}) EXPECT_TRUE(is(c, CodePoints::kNumber));
  for (const char32_t c : {U' ', U'\u0085', U'\u00A0', U'\u1680', U'\u2028', U'\u3000'})
    EXPECT_TRUE(is(c, CodePoints::kSpace));
  for (const char32_t c : {U'\u180E', U'\u200B', U'\uFEFF'}) EXPECT_EQ(table.traits(c), 0) << static_cast<unsigned>(c);
  EXPECT_EQ(table.traits(U'_'), CodePoints::kWord);
  EXPECT_EQ(table.traits(U'\u0301'), CodePoints::kWord | CodePoints::kUnsettled);
  EXPECT_EQ(table.traits(0x10FFFF), 0);
}

std::string nfc(const std::string& text) {
  std::string out;
  normalize_nfc(text, out);
  return out;
}

TEST(Nfc, ComposesOrdersAndReplaces) {
  EXPECT_EQ(nfc("abc"), "abc");
  EXPECT_EQ(nfc("e\u0301"), "\u00E9");
  EXPECT_EQ(nfc("a\u0323\u0302 a\u0302\u0323"), "\u1EAD \u1EAD");  // either order
  EXPECT_EQ(nfc("\u212B\u2126"), "\u00C5\u03A9");                  // signs that are letters
  EXPECT_EQ(nfc("\u0958"), "\u0915\u093C");                        // excluded from composition
  EXPECT_EQ(nfc("\u1112\u1161\u11AB"), "\uD55C");                  // Hangul
  EXPECT_EQ(nfc("\uD558\u11AB"), "\uD55C");
  EXPECT_EQ(nfc("\uD558\u11A7"), "\uD558\u11A7");
  EXPECT_EQ(nfc("\u0301e"), "\u0301e");  // nothing before it
  EXPECT_EQ(nfc("e\u0327\u0301"), "\u0229\u0301");
  EXPECT_EQ(nfc("q\u0302\u0323"), "q\u0323\u0302");
}

TEST(Nfc, SaysWhereEachByteComesFrom) {
  std::string out;
  std::vector<ByteRange> origin;
  normalize_nfc("xe\u0301y", out, &origin);
  ASSERT_EQ(out, "x\u00E9y");
  const std::vector<std::pair<std::size_t, std::size_t>> expected = {{0, 1}, {1, 2}, {1, 2}, {4, 5}};  // the library's
  ASSERT_EQ(origin.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(std::pair(origin[i].start, origin[i].stop), expected[i]) << i;
  }
}

TEST(Nfc, IsDoneAfterOnce) {
  std::mt19937 random(5);
  const std::u32string points =
      U"ae\u0301\u0302\u0323\u0327\u0344\u0345\u0958\u093C\u0915\u1112\u1161\u11AB\uAC00\u0F73\u0F71\U000110BA";
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (std::size_t n = random() % 12; n > 0; --n) append_utf8(points[random() % points.size()], text);
    std::vector<ByteRange> origin;
    std::string once;
    normalize_nfc(text, once, &origin);
    ASSERT_EQ(nfc(once), once);
    ASSERT_EQ(origin.size(), once.size());
    for (const ByteRange& range : origin) {
      ASSERT_LE(range.start, range.stop);
      ASSERT_LE(range.stop, text.size());
    }
    if (settled_size(text) == text.size()) {
      ASSERT_EQ(once, text);
    }
  }
}

TEST(Nfc, LongRunsOfMarksTakeNoTime) {
  std::string text;
  for (int i = 0; i < 150'000; ++i) text += "\u0301\u0323";
  EXPECT_EQ(nfc(text).size(), text.size());
}

}  // namespace
}  // namespace tokenizer
