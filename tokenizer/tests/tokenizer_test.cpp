// The tokenizer as its users see it: spans, decoding whole and in pieces, threads.
#include "tokenizer/tokenizer.hpp"

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "tokenizer/incremental_decoder.hpp"
#include "tokenizer/tests/small_tokenizer.hpp"

namespace tokenizer {
namespace {

using testing::add_token;
using testing::byte_level;
using testing::file_with;
using testing::Json;
using testing::open;
using testing::shown;

/// Merges that cut through characters, so that ids hold parts of them; one special token, 260.
Json file_of_parts() {
  Json file = file_with({{"\xE4", "\xB8"}, {"\xF0", "\x9F"}, {"\x80", "\xE4"}, {"a", "\xC3"}});
  add_token(file, "<e>", {"special"});
  return file;
}

Json template_with(const std::vector<TokenId>& before, const std::vector<TokenId>& after) {
  const auto token = [](const char* name) { return Json{{"SpecialToken", {{"id", name}, {"type_id", 0}}}}; };
  return {{"type", "TemplateProcessing"},
          {"single", {token("b"), {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}, token("e")}},
          {"pair", Json::array()},
          {"special_tokens",
           {{"b", {{"id", "b"}, {"ids", before}, {"tokens", Json::array()}}},
            {"e", {{"id", "e"}, {"ids", after}, {"tokens", Json::array()}}}}}};
}

TEST(Tokenizer, PutsTokensAroundTheText) {
  Json file = file_of_parts();
  file["post_processor"] = {{"type", "Sequence"},
                            {"processors", {template_with({1, 2}, {3}), template_with({4}, {5})}}};
  const auto tokenizer = open(file);
  EXPECT_EQ(shown(tokenizer->encode("x")), "\4\1\2x\3\5");
  EXPECT_EQ(shown(tokenizer->encode("")), "\4\1\2\3\5");
  EXPECT_EQ(shown(tokenizer->encode_spans("x")), "[0,0][0,0][0,0][0,1][0,0][0,0]");
  EXPECT_EQ(tokenizer->count("x"), 6U);
  EXPECT_EQ(tokenizer->count("x", {SpecialTokens::omit, TokenText::recognise}), 1U);
  std::vector<TokenId> ids = {9};
  tokenizer->encode("x", {}, ids);
  EXPECT_EQ(shown(ids), "\t\4\1\2x\3\5");
}

TEST(Tokenizer, SpansCoverWholeCharacters) {
  const auto tokenizer = open(file_of_parts());
  EXPECT_EQ(shown(tokenizer->encode("a\u00E9")), "<259>\xA9");
  EXPECT_EQ(shown(tokenizer->encode_spans("a\u00E9")), "[0,3][1,3]");
  EXPECT_EQ(shown(tokenizer->encode_spans("a\u4E00\u4E00")), "[0,1][1,4][1,4][4,7][4,7]");
  EXPECT_EQ(shown(tokenizer->encode_spans("\U0001F600<e>b")), "[0,4][0,4][0,4][4,7][7,8]");
}

TEST(Tokenizer, SpansReferToTheTextAsGiven) {
  Json file = file_of_parts();
  file["normalizer"] = {{"type", "NFC"}};
  const auto tokenizer = open(file);
  EXPECT_EQ(shown(tokenizer->encode_spans("xe\u0301y")), "[0,1][1,2][1,2][4,5]");
  EXPECT_EQ(shown(tokenizer->encode_spans("<e>e\u0301<e>")), "[0,3][3,4][3,4][6,9]");
  EXPECT_EQ(shown(tokenizer->encode_spans("a\xFF\xE4z")), "[0,1][1,2][1,2][1,2][2,3][2,3][2,3][3,4]");
}

TEST(Tokenizer, InvalidBytesCountAsReplacements) {
  const auto tokenizer = open(file_of_parts());
  EXPECT_EQ(tokenizer->encode("a\xFF\xE4\xB8z"), tokenizer->encode("a\uFFFD\uFFFDz"));
  EXPECT_EQ(tokenizer->encode("\xF0\x9F"), tokenizer->encode("\uFFFD"));
}

TEST(Tokenizer, PrefixSpaceSharesItsCharactersSpan) {
  Json file = file_with({{" ", "a"}});
  file["pre_tokenizer"] = byte_level(true, true);
  const auto tokenizer = open(file);
  EXPECT_EQ(shown(tokenizer->encode("ab c")), "<256>b c");
  EXPECT_EQ(shown(tokenizer->encode(" ab")), "<256>b");
  EXPECT_EQ(shown(tokenizer->encode_spans("ab")), "[0,1][1,2]");
  EXPECT_EQ(shown(tokenizer->encode_spans("\u00E9")), "[0,2][0,2][0,2]");
}

TEST(Tokenizer, SplitsMayFollowEachOther) {
  Json file = file_with({{"1", "2"}, {"12", "3"}});
  file["pre_tokenizer"]["pretokenizers"] = {testing::split(testing::kLlama3Pattern),
                                            testing::split(testing::kQwen2Pattern), byte_level()};
  EXPECT_EQ(shown(open(file)->encode("123")), "123");
  file["pre_tokenizer"]["pretokenizers"].erase(1);
  EXPECT_EQ(shown(open(file)->encode("123")), "<257>");
  file["pre_tokenizer"]["pretokenizers"][1] = byte_level(true);
  EXPECT_EQ(shown(open(file)->encode("1234")), "<257>4");
}

TEST(Tokenizer, TrimmedOffsetsLeaveWhiteSpaceOut) {
  Json file = file_with({{" ", "a"}, {" ", " "}, {"  ", " "}});
  file["post_processor"] = byte_level(true, false, true);
  EXPECT_EQ(shown(open(file)->encode_spans("b a    b")), "[0,1][2,3][6,6][7,7][7,8]");
  file["post_processor"] = byte_level(true, true, true);  // one space at the very start may be a prefix
  EXPECT_EQ(shown(open(file)->encode_spans(" a a")), "[0,2][3,4]");
  file["post_processor"] = byte_level(true, true, false);
  EXPECT_EQ(shown(open(file)->encode_spans(" a a")), "[0,2][2,4]");
}

TEST(Tokenizer, DecodesBytesTogether) {
  const auto tokenizer = open(file_of_parts());
  EXPECT_EQ(tokenizer->decode(std::vector<TokenId>{256, 0x80}), "\u4E00");
  EXPECT_EQ(tokenizer->decode(std::vector<TokenId>{256}), "\uFFFD");
  EXPECT_EQ(tokenizer->decode(std::vector<TokenId>{'a', 260, 'b', 99999, 4000000000U}), "ab");
  EXPECT_EQ(tokenizer->decode(std::vector<TokenId>{'a', 260, 'b'}, SpecialText::keep), "a<e>b");
  EXPECT_EQ(tokenizer->decode({}), "");
  EXPECT_EQ(tokenizer->token_bytes(99999), "");
  EXPECT_FALSE(tokenizer->is_special(99999));
  EXPECT_EQ(tokenizer->size(), 261U);
  EXPECT_EQ(tokenizer->find("\xE4\xB8"), TokenId{256});
  EXPECT_EQ(tokenizer->find("nothing"), std::nullopt);
}

TEST(IncrementalDecoder, HoldsBackOnlyWhatMayBecomeACharacter) {
  const auto tokenizer = open(file_of_parts());
  IncrementalDecoder decoder(*tokenizer);
  EXPECT_EQ(decoder.push('a'), "a");
  EXPECT_EQ(decoder.push(256), "");
  EXPECT_EQ(decoder.push(260), "");  // special: says nothing, ends nothing
  EXPECT_EQ(decoder.push(258), "\u4E00");
  EXPECT_EQ(decoder.push('b'),
            "\uFFFD"
            "b");
  EXPECT_EQ(decoder.push(257), "");
  EXPECT_EQ(decoder.finish(), "\uFFFD");
  EXPECT_EQ(decoder.finish(), "");
  EXPECT_EQ(decoder.push('c'), "c");
}

TEST(IncrementalDecoder, PartsPutTogetherAreTheWhole) {
  const auto tokenizer = open(file_of_parts());
  std::mt19937 random(1);
  for (int round = 0; round < 20000; ++round) {
    std::vector<TokenId> ids(random() % 12);
    for (TokenId& id : ids) id = random() % 3 == 0 ? 0x80 + random() % 0x80 : static_cast<TokenId>(random() % 262);
    for (const SpecialText special : {SpecialText::keep, SpecialText::skip}) {
      IncrementalDecoder decoder(*tokenizer, special);
      std::string text;
      for (const TokenId id : ids) text += decoder.push(id);
      text += decoder.finish();
      ASSERT_EQ(text, tokenizer->decode(ids, special));
    }
  }
}

TEST(Tokenizer, ServesManyThreads) {
  Json file = file_of_parts();
  file["normalizer"] = {{"type", "NFC"}};
  const auto tokenizer = open(file);
  const std::string text = "e\u0301 \u4E00\u4E01 <e> " + std::string(500, 'a') + " \xFF";
  const std::vector<TokenId> expected = tokenizer->encode(text);
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (int& count : wrong) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i)
        count += tokenizer->encode(text) == expected && !tokenizer->decode(expected).empty() ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4));
}

}  // namespace
}  // namespace tokenizer
