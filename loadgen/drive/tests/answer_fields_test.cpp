// The field reader against a full JSON parser: it must accept exactly what is a JSON object, and see the same fields.
#include "loadgen/drive/answer_fields.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <regex>
#include <vector>

namespace loadgen {
namespace {

const std::vector<std::string> good = {
    R"({})",
    R"( { "token" : { "id" : 1 , "text" : "\u00e9\n\"x\"" , "special" : false } , "generated_text" : null } )",
    R"({"error":"Model is \"overloaded\"\n","error_type":"overloaded"})",
    R"({"error":{"message":"m\u006fre","type":"t","code":5}})",
    R"({"error":null,"token":null,"usage":null,"choices":null})",
    R"({"choices":[{"delta":{"content":"a"},"finish_reason":null},{"delta":{"content":"b"}}],"usage":{"completion_tokens":12,"prompt_tokens":3}})",
    R"({"choices":[],"usage":{"completion_tokens":0}})",
    R"({"x":[[[{"y":[1,-2.5e+10,0.1,true,false,null]}]]],"tokens":7})",
    R"({"details":{"finish_reason":"length","generated_tokens":4294967295,"input_length":1,"tokens":[{"text":"error"}]}})",
    R"({"details":{"generated_tokens":99999999999}})",
    R"({"\u0065rror":"spelled with an escape"})",
    R"({"a":"\ud83d\ude00","b":-0,"c":0.5E-3})",
};

TEST(AnswerFields, ReadsFieldsThroughEscapes) {
  AnswerFields f;
  ASSERT_TRUE(read_answer_fields(good[2], f));
  EXPECT_TRUE(f.has_error);
  EXPECT_EQ(f.error, "Model is \"overloaded\"\n");
  ASSERT_TRUE(read_answer_fields(good[3], f));
  EXPECT_EQ(f.error, "more");
  EXPECT_EQ(f.error_type, "t");
  ASSERT_TRUE(read_answer_fields(good[4], f));
  EXPECT_FALSE(f.has_error || f.has_token || f.has_choices);
  ASSERT_TRUE(read_answer_fields(good[5], f));
  EXPECT_EQ(f.choices, 2U);
  EXPECT_TRUE(f.has_text);
  EXPECT_EQ(f.generated_tokens, 12U);
  EXPECT_EQ(f.prompt_tokens, 3U);
  ASSERT_TRUE(read_answer_fields(good[6], f));
  EXPECT_TRUE(f.has_choices);
  EXPECT_EQ(f.choices, 0U);
  ASSERT_TRUE(read_answer_fields(good[7], f));
  EXPECT_EQ(f.generated_tokens, 7U);
  ASSERT_TRUE(read_answer_fields(good[9], f));
  EXPECT_FALSE(f.generated_tokens);  // more than fits is not a count
  ASSERT_TRUE(read_answer_fields(good[10], f));
  EXPECT_TRUE(f.has_error);
}

bool is_json_object(const std::string& text) {
  const auto value = nlohmann::json::parse(text, nullptr, false);
  return value.is_object();
}

TEST(AnswerFields, AgreesWithAFullParserOnDamagedTexts) {
  std::mt19937 random(20);
  const std::string alphabet = R"({}[]",:\0123456789.eE+-tfnulrasx )";
  AnswerFields f;
  std::size_t refused = 0;
  for (int i = 0; i < 60'000; ++i) {
    std::string text = good[random() % good.size()];
    const auto edits = random() % 3;
    for (std::size_t e = 0; e < edits && !text.empty(); ++e) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = alphabet[random() % alphabet.size()];
          break;
        case 1:
          text.erase(at, 1 + random() % 3);
          break;
        default:
          text.insert(at, 1, alphabet[random() % alphabet.size()]);
          break;
      }
    }
    // Lone surrogates and numbers past a double are grammatical; the full parser refuses them and we skip over them.
    static const std::regex beyond(R"(\\u[d0]|[0-9][eE][+-]?[0-9]{3})");
    if (std::regex_search(text, beyond)) continue;
    const bool ours = read_answer_fields(text, f);
    EXPECT_EQ(ours, is_json_object(text)) << text;
    refused += ours ? 0 : 1;
  }
  EXPECT_GT(refused, 10'000U);
}

TEST(AnswerFields, RefusesDepthAndControlCharacters) {
  AnswerFields f;
  EXPECT_FALSE(read_answer_fields("{\"a\":" + std::string(100'000, '['), f));
  std::string deep = "1";
  for (int i = 0; i < 70; ++i) deep = "{\"a\":" + deep + "}";
  EXPECT_FALSE(read_answer_fields(deep, f));
  EXPECT_FALSE(read_answer_fields("{\"a\":\"\n\"}", f));
  EXPECT_FALSE(read_answer_fields("{} {}", f));
  EXPECT_FALSE(read_answer_fields("", f));
}

}  // namespace
}  // namespace loadgen
