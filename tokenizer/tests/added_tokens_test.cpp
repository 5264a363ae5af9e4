// Added tokens and each of their options, as the library treats them (the expected values were checked against it).
#include "tokenizer/added_tokens.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "tokenizer/tests/small_tokenizer.hpp"

namespace tokenizer {
namespace {

using testing::add_token;
using testing::file_with;
using testing::Json;
using testing::open;
using testing::shown;

constexpr EncodeOptions kPlain{SpecialTokens::add, TokenText::plain};

TEST(AddedTokens, AreFoundAnywhere) {
  Json file = file_with();
  add_token(file, "<|end|>", {"special"});
  const auto tokenizer = open(file);
  EXPECT_EQ(shown(tokenizer->encode("<|end|>a<|end|>b<|end|><|end|>")), "<256>a<256>b<256><256>");
  EXPECT_EQ(shown(tokenizer->encode("<<|end|>|end|><|end|")), "<<256>|end|><|end|");
  EXPECT_EQ(tokenizer->find("<|end|>"), TokenId{256});
  EXPECT_TRUE(tokenizer->is_special(256));
}

TEST(AddedTokens, LeftmostThenLongestWins) {
  Json file = file_with();
  add_token(file, "<a>");
  add_token(file, "<a><b>");
  add_token(file, "a><b><c>");
  add_token(file, "<");
  const auto tokenizer = open(file);
  EXPECT_EQ(shown(tokenizer->encode("<a><b><c>")), "<257><c>");
  EXPECT_EQ(shown(tokenizer->encode("<a><c>")), "<256><c>");
  EXPECT_EQ(shown(tokenizer->encode("a><b><c><")), "<258><");
}

TEST(AddedTokens, SpecialOnesAreTextOnRequest) {
  Json file = file_with();
  add_token(file, "<s>", {"special"});
  add_token(file, "<t>");
  const auto tokenizer = open(file);
  EXPECT_EQ(shown(tokenizer->encode("<s><t>")), "<256><257>");
  EXPECT_EQ(shown(tokenizer->encode("<s><t>", kPlain)), "<s><257>");  // the library's encode_special_tokens
}

TEST(AddedTokens, StripTakesWhiteSpaceAlong) {
  Json file = file_with();
  add_token(file, "<l>", {"lstrip"});
  add_token(file, "<r>", {"rstrip"});
  const auto tokenizer = open(file);
  EXPECT_EQ(shown(tokenizer->encode("a \n\u3000<l> b")), "a<256> b");
  EXPECT_EQ(shown(tokenizer->encode("a <r> \t\u00A0b")), "a <257>b");
  EXPECT_EQ(shown(tokenizer->encode("<r>  <l>")), "<257><256>");  // the first one has them
  EXPECT_EQ(shown(tokenizer->encode("  <l><r>  ")), "<256><257>");
  EXPECT_EQ(shown(tokenizer->encode_spans("a  <l> b")), "[0,1][1,6][6,7][7,8]");
}

TEST(AddedTokens, SingleWordsStandAlone) {
  Json file = file_with();
  add_token(file, "cat", {"single_word"});
  const auto tokenizer = open(file);
  EXPECT_EQ(shown(tokenizer->encode("cat cats _cat cat.")), "<256> cats _cat <256>.");
  EXPECT_EQ(shown(tokenizer->encode("\u4E00cat")).size(), 6U);  // an ideograph is a word character
  EXPECT_EQ(shown(tokenizer->encode("cat\u0301")).size(), 5U);  // and so is a combining mark
}

TEST(AddedTokens, NormalizedOnesAreFoundInTheNormalizedText) {
  Json file = file_with();
  file["normalizer"] = {{"type", "NFC"}};
  add_token(file, "e\u0301t", {"normalized"});
  add_token(file, "o\u0301t");
  const auto tokenizer = open(file);
  EXPECT_EQ(shown(tokenizer->encode("e\u0301t \u00E9t")), "<256> <256>");
  EXPECT_EQ(shown(tokenizer->encode("o\u0301t")), "<257>");
  EXPECT_EQ(shown(tokenizer->encode("\u00F3t")).find('<'), std::string::npos);
}

TEST(AddedTokens, TextBetweenThemIsNormalizedByItself) {
  Json file = file_with();
  file["normalizer"] = {{"type", "NFC"}};
  add_token(file, "<e>");
  const auto tokenizer = open(file);
  EXPECT_EQ(shown(tokenizer->encode("e<e>\u0301")), "e<256>\xCC\x81");  // the mark has nothing to join
  EXPECT_EQ(shown(tokenizer->encode("<e>e\u0301")), "<256>\xC3\xA9");
}

TEST(AddedTokens, ThatAreEntriesKeepTheirId) {
  Json file = file_with({{"a", "b"}});
  add_token(file, "ab", {"special"});
  file["added_tokens"][0]["id"] = 256;
  const auto tokenizer = open(file);
  EXPECT_EQ(shown(tokenizer->encode("xab")), "x<256>");
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("xab")), "x");
  EXPECT_EQ(tokenizer->size(), 257U);
}

TEST(AddedTokens, DecodeByTheAlphabetWhereTheyCan) {
  Json file = file_with();
  const TokenId plain = add_token(file, "<a>");
  const TokenId spelled = add_token(file, "\u0120\u00E9");  // a space and the byte E9
  const TokenId foreign = add_token(file, " \u00E9");       // a space is not of the alphabet
  const auto tokenizer = open(file);
  EXPECT_EQ(tokenizer->token_bytes(plain), "<a>");
  EXPECT_EQ(tokenizer->token_bytes(spelled), " \xE9");
  EXPECT_EQ(tokenizer->token_bytes(foreign), " \u00E9");
  EXPECT_EQ(tokenizer->decode(std::vector<TokenId>{spelled}), " \uFFFD");
}

TEST(AddedTokens, ManyOnesInWhiteSpaceTakeNoTime) {
  Json file = file_with();
  add_token(file, " ", {"rstrip"});
  add_token(file, "\t", {"lstrip"});
  const auto tokenizer = open(file);
  EXPECT_EQ(tokenizer->count(std::string(300'000, ' ')), 300'000U);
  EXPECT_EQ(tokenizer->count(std::string(300'000, '\t')), 300'000U);
}

TEST(StringSearch, FindsNothingInNothing) {
  StringSearch::Found found;
  EXPECT_FALSE(StringSearch({}).next("abc", 0, found));
  EXPECT_FALSE(StringSearch({"abc"}).next("", 0, found));
  EXPECT_FALSE(StringSearch({"abc"}).next("ab", 0, found));
  EXPECT_FALSE(StringSearch({""}).next("ab", 0, found));
  EXPECT_FALSE(StringSearch({"abc"}).next("xabc", 2, found));
  EXPECT_TRUE(StringSearch({"abc"}).next("xabc", 1, found));
  EXPECT_EQ(found.stop, 4U);
}

}  // namespace
}  // namespace tokenizer
