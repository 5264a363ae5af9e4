// Tokens: white space control, raw blocks, numbers and texts.
#include "refserver/chat/jinja/lexer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "refserver/chat/jinja/failure.hpp"

namespace refserver::jinja {
namespace {

using ::testing::ElementsAre;

/// Tokens as words: data in <>, tags as their marks, the rest as it is.
std::vector<std::string> words(std::string_view source) {
  std::vector<std::string> out;
  for (const Token& token : tokenize(source)) {
    switch (token.kind) {
      case TokenKind::data:
        out.push_back("<" + token.text + ">");
        break;
      case TokenKind::string:
        out.push_back("'" + token.text + "'");
        break;
      case TokenKind::real:
        out.push_back("real " + token.text);
        break;
      case TokenKind::name:
      case TokenKind::integer:
      case TokenKind::symbol:
        out.push_back(token.text);
        break;
      case TokenKind::variable_begin:
        out.emplace_back("{{");
        break;
      case TokenKind::variable_end:
        out.emplace_back("}}");
        break;
      case TokenKind::block_begin:
        out.emplace_back("{%");
        break;
      case TokenKind::block_end:
        out.emplace_back("%}");
        break;
      case TokenKind::end:
        break;
    }
  }
  return out;
}

TEST(JinjaLexer, BlocksTakeTheirLineWithThem) {
  EXPECT_THAT(words("a\n  {% x %}\nb"), ElementsAre("<a\n>", "{%", "x", "%}", "<b>"));
  EXPECT_THAT(words("a  {% x %}\nb"), ElementsAre("<a  >", "{%", "x", "%}", "<b>"));
  EXPECT_THAT(words("  {% x %}  {% y %}\n\nb"), ElementsAre("{%", "x", "%}", "<  >", "{%", "y", "%}", "<\nb>"));
  EXPECT_THAT(words("  {{ x }}\nb"), ElementsAre("<  >", "{{", "x", "}}", "<\nb>"));
  EXPECT_THAT(words("a\n  {# c #}\nb"), ElementsAre("<a\n>", "<b>"));
}

TEST(JinjaLexer, SignsOverrideThat) {
  EXPECT_THAT(words("a \n {%- x -%} \n b"), ElementsAre("<a>", "{%", "x", "%}", "<b>"));
  EXPECT_THAT(words("a\n  {%+ x +%}\nb"), ElementsAre("<a\n  >", "{%", "x", "%}", "<\nb>"));
  EXPECT_THAT(words("a \n {{- x -}} \n b"), ElementsAre("<a>", "{{", "x", "}}", "<b>"));
  EXPECT_THAT(words("{{-1}}{{+2}}"), ElementsAre("{{", "1", "}}", "{{", "2", "}}"));
  EXPECT_THAT(words("a\u3000{#- c -#}\u00a0b"), ElementsAre("<a>", "<b>"));
}

TEST(JinjaLexer, NewlinesAreOneKindAndOneGoesAtTheEnd) {
  EXPECT_THAT(words("a\r\nb\rc\n\n"), ElementsAre("<a\nb\nc\n>"));
  EXPECT_THAT(words("{{ 'a\r\nb' }}\r\n"), ElementsAre("{{", "'a\nb'", "}}"));
}

TEST(JinjaLexer, RawBlocksAreText) {
  EXPECT_THAT(words("{% raw %}{{ x }}{% endraw %}{{ y }}"), ElementsAre("<{{ x }}>", "{{", "y", "}}"));
  EXPECT_THAT(words("{%- raw -%} {% if %} {%- endraw -%} b"), ElementsAre("<{% if %}>", "<b>"));
}

TEST(JinjaLexer, BracketsDecideWhatEndsATag) {
  EXPECT_THAT(words("{{ {'a': {}} }}"), ElementsAre("{{", "{", "'a'", ":", "{", "}", "}", "}}"));
  EXPECT_THROW(tokenize("{{ [1}}"), Failure);
}

TEST(JinjaLexer, Numbers) {
  EXPECT_THAT(words("{{ 1 1_000 0x1F 0b11 0o17 1.5 1e5 2.5E-3 1.x x.1.5 007 }}"),
              ElementsAre("{{", "1", "1000", "0x1F", "0b11", "0o17", "real 1.5", "real 1e5", "real 2.5E-3", "1", ".",
                          "x", "x", ".", "1", ".", "5", "00", "7", "}}"));
}

TEST(JinjaLexer, TextEscapesAreThoseOfPython) {
  EXPECT_THAT(words(R"({{ 'a\n\t\\\'\x41\u4f60\101\q' "it's" }})"),
              ElementsAre("{{", "'a\n\t\\'A你A\\q'", "'it's'", "}}"));
  EXPECT_THAT(words("{{ 'a\\\nb' '\\é' }}"), ElementsAre("{{", "'ab'", "'\\xe9'", "}}"));
}

TEST(JinjaLexer, TokensKnowTheirLine) {
  const std::vector<Token> tokens = tokenize("a\n{{ x\n+ y }}\n\n{% z %}");
  ASSERT_EQ(tokens.size(), 11U);
  EXPECT_EQ(tokens[2].line, 2);  // x
  EXPECT_EQ(tokens[3].line, 3);  // +
  EXPECT_EQ(tokens[8].line, 5);  // z
}

}  // namespace
}  // namespace refserver::jinja
