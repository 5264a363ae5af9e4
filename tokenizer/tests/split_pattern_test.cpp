// Pieces of the three patterns. What the whole of Unicode does is compared with the library elsewhere (tests/).
#include "tokenizer/split_pattern.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace tokenizer {
namespace {

/// The pieces with | between them.
std::string pieces(SplitPattern pattern, const std::string& text) {
  std::string out;
  Splitter(pattern).for_each_piece(text, [&out](std::string_view piece) {
    if (!out.empty()) out += '|';
    out += piece;
  });
  return out;
}

struct Case {
  const char* text;
  const char* llama3;
  const char* qwen2;  ///< null: as llama3
  const char* gpt2;   ///< null: as llama3
};

const Case kCases[] = {
    {"Hello world", "Hello| world", nullptr, nullptr},
    {"Hello, world!", "Hello|,| world|!", nullptr, nullptr},
    {"a  b", "a| | b", nullptr, nullptr},
    {"a   ", "a|   ", nullptr, nullptr},
    {"   a", "  | a", nullptr, nullptr},
    {"a \tb", "a| |\tb", nullptr, "a| |\t|b"},
    {"12345 6", "123|45| |6", "1|2|3|4|5| |6", "12345| 6"},
    {"x2y", "x|2|y", nullptr, nullptr},
    {"don't DON'T", "don|'t| DON|'T", nullptr, "don|'t| DON|'|T"},
    {"we'll've'Re", "we|'ll|'ve|'Re", nullptr, "we|'ll|'ve|'|Re"},
    {"'st 'x 'lx", "'s|t| '|x| '|lx", nullptr, nullptr},
    {"it'\u017F", "it|'\u017F", nullptr, "it|'|\u017F"},
    {"'\u017Fa", "'\u017F|a", nullptr, "'|\u017Fa"},
    {"(word", "(word", nullptr, "(|word"},
    {" (word", " (|word", nullptr, nullptr},
    {"\u00A0word", "\u00A0word", nullptr, "\u00A0|word"},
    {"\nword", "\n|word", nullptr, nullptr},
    {"a\n\n b", "a|\n\n| b", nullptr, "a|\n\n| b"},
    {"a \n \n  b", "a| \n \n| | b", nullptr, "a| \n \n | b"},
    {"!!\r\n\r\nx", "!!\r\n\r\n|x", nullptr, "!!|\r\n\r|\n|x"},
    {" ...\nx", " ...\n|x", nullptr, " ...|\n|x"},
    {" 7", " |7", nullptr, " 7"},
    {"_a", "_a", nullptr, "_|a"},
    {"e\u0301a", "e|\u0301a", nullptr, "e|\u0301|a"},
    {"\u4F60\u597D\u3002\u597D", "\u4F60\u597D|\u3002\u597D", nullptr, "\u4F60\u597D|\u3002|\u597D"},
    {"\u0663\u0664\u0665\u0666", "\u0663\u0664\u0665|\u0666", "\u0663|\u0664|\u0665|\u0666",
     "\u0663\u0664\u0665\u0666"},
    {"a\u180Eb", "a|\u180Eb", nullptr, "a|\u180E|b"},
    {"a\u3000\u3000b", "a|\u3000|\u3000b", nullptr, "a|\u3000|\u3000|b"},
    {"'", "'", nullptr, nullptr},
    {" ", " ", nullptr, nullptr},
    {" '", " '", nullptr, nullptr},
    {"\n", "\n", nullptr, nullptr},
};

TEST(Splitter, CutsAsThePatternsDo) {
  for (const Case& c : kCases) {
    EXPECT_EQ(pieces(SplitPattern::llama3, c.text), c.llama3) << c.text;
    EXPECT_EQ(pieces(SplitPattern::qwen2, c.text), c.qwen2 ? c.qwen2 : c.llama3) << c.text;
    EXPECT_EQ(pieces(SplitPattern::gpt2, c.text), c.gpt2 ? c.gpt2 : c.llama3) << c.text;
  }
}

TEST(Splitter, PiecesPutTogetherAreTheText) {
  const std::vector<std::string> parts = {"a",      "Z",      "'",          "s",      "1",      " ",
                                          "\n",     "\r",     "\t",         ".",      "\u00A0", "\u4E00",
                                          "\u0301", "\u017F", "\U0001F600", "\u3000", "_",      "l"};
  std::mt19937 random(3);
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (std::size_t n = random() % 30; n > 0; --n) text += parts[random() % parts.size()];
    for (const SplitPattern pattern : {SplitPattern::llama3, SplitPattern::qwen2, SplitPattern::gpt2}) {
      std::string joined;
      Splitter(pattern).for_each_piece(text, [&joined](std::string_view piece) {
        ASSERT_FALSE(piece.empty());
        joined += piece;
      });
      ASSERT_EQ(joined, text);
    }
  }
}

}  // namespace
}  // namespace tokenizer
