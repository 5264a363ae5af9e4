#include "loadgen/export/terminal_text.hpp"

#include <gtest/gtest.h>

namespace loadgen {
namespace {

TEST(TerminalText, KnowsTheWidthOfCharacters) {
  EXPECT_EQ(display_width("abc"), 3u);
  EXPECT_EQ(display_width("é–✓"), 3u);
  EXPECT_EQ(display_width("问答"), 4u);
  EXPECT_EQ(display_width("e\u0301"), 1u);
  EXPECT_EQ(display_width("\xff\xfe"), 2u);
}

TEST(TerminalText, CutsAtCharacters) {
  EXPECT_EQ(cut_to_width("abcdef", 6), "abcdef");
  EXPECT_EQ(cut_to_width("abcdef", 5), "abcd…");
  EXPECT_EQ(cut_to_width("问答题目", 5), "问答…");
  EXPECT_EQ(cut_to_width("问答题目", 4), "问…");
  EXPECT_EQ(cut_to_width("abc", 0), "");
}

TEST(TerminalText, ControlCharactersCannotReachTheTerminal) {
  EXPECT_EQ(without_controls("a\x1b[31mred\r\n\x07"), "a?[31mred???");
  EXPECT_EQ(without_controls("\xc2\x9b"), "?") << "the one-character form of ESC [";
  EXPECT_EQ(without_controls("问\xff"), "问?");
}

TEST(TerminalText, PadsByColumns) {
  EXPECT_EQ(pad_right("问", 4) + "|", "问  |");
  EXPECT_EQ(pad_left("ab", 4), "  ab");
  EXPECT_EQ(pad_left("abcdef", 4), "abc…");
}

TEST(TerminalText, WrapsAtSpaces) {
  EXPECT_EQ(wrap_text("one two three", 7, 2), "one two\n  three");
  EXPECT_EQ(wrap_text("unbreakable x", 4, 0), "unbreakable\nx");
  EXPECT_EQ(wrap_text("", 4, 0), "");
}

}  // namespace
}  // namespace loadgen
