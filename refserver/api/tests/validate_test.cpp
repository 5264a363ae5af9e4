// The checks of TGI 3.3.7 in their order, and what they leave for the engine.
#include "refserver/api/validate.hpp"

#include <gtest/gtest.h>

#include <string>

#include "refserver/tests/pipeline.hpp"

namespace refserver {
namespace {

struct Refusal {
  const char* parameters;
  const char* text;
};

class RefusedParameters : public ::testing::TestWithParam<Refusal> {};
TEST_P(RefusedParameters, InTgisWords) {
  const auto valid =
      validated(Route::generate, std::string(R"({"inputs":"one two","parameters":)") + GetParam().parameters + "}");
  ASSERT_FALSE(valid);
  EXPECT_EQ(valid.error().type, ErrorType::validation);
  EXPECT_EQ(valid.error().text, std::string("Input validation error: ") + GetParam().text);
}
INSTANTIATE_TEST_SUITE_P(
    Table, RefusedParameters,
    ::testing::Values(
        Refusal{R"({"best_of":2})", "`best_of` != 1 is not allowed for this endpoint"},
        Refusal{R"({"temperature":0})", "`temperature` must be strictly positive"},
        Refusal{R"({"temperature":-1,"top_p":2})", "`temperature` must be strictly positive"},
        Refusal{R"({"repetition_penalty":0.0})", "`repetition_penalty` must be strictly positive"},
        Refusal{R"({"frequency_penalty":2.1})", "`frequency_penalty` must be >= -2.0 and <= 2.0"},
        Refusal{R"({"top_p":1.0})", "`top_p` must be > 0.0 and < 1.0"},
        Refusal{R"({"top_p":0})", "`top_p` must be > 0.0 and < 1.0"},
        Refusal{R"({"typical_p":1})", "`typical_p` must be > 0.0 and < 1.0"},
        Refusal{R"({"top_k":0})", "`top_k` must be strictly positive"},
        Refusal{R"({"top_k":-5})", "`top_k` must be strictly positive"},
        Refusal{R"({"max_new_tokens":0})", "`max_new_tokens` must be strictly positive"},
        Refusal{R"({"stop":["a","b","c","d","e"]})", "`stop` supports up to 4 stop sequences. Given: 5"},
        Refusal{R"({"top_n_tokens":5})", "`top_n_tokens` must be >= 0 and <= 0. Given: 5"},
        Refusal{R"({"truncate":0})", "`truncate` must be strictly positive and less than 32767. Given: 0"},
        Refusal{R"({"truncate":32768})", "`truncate` must be strictly positive and less than 32767. Given: 32768"},
        Refusal{R"({"grammar":{"type":"regex","value":"a"}})", "grammar is not supported"},
        Refusal{R"({"watermark":true})", "`watermark` is not supported by this server"}));

std::string error_of(Route route, const std::string& body) {
  const auto valid = validated(route, body);
  return valid ? "" : std::string(label(valid.error().type)) + ": " + valid.error().text;
}

TEST(Validate, StreamsRefuseWhatOnlyWholeAnswersCan) {
  EXPECT_EQ(error_of(Route::generate_stream, R"({"inputs":"a","parameters":{"best_of":2}})"),
            "validation: Input validation error: `best_of` != 1 is not supported when streaming tokens");
  EXPECT_EQ(
      error_of(Route::generate_stream, R"({"inputs":"a","parameters":{"decoder_input_details":true}})"),
      "validation: Input validation error: `decoder_input_details` == true is not supported when streaming tokens");
}

TEST(Validate, PromptLimits) {
  EXPECT_EQ(error_of(Route::generate, R"({"inputs":""})"),
            "validation: Input validation error: `inputs` cannot be empty");
  std::string words;
  for (int i = 0; i < 32767; ++i) words += " a";
  EXPECT_EQ(error_of(Route::generate, R"({"inputs":")" + words + R"("})"),
            "validation: Input validation error: `inputs` tokens + `max_new_tokens` must be <= 32768. Given: 32767 "
            "`inputs` tokens and 100 `max_new_tokens`");
  EXPECT_EQ(error_of(Route::generate, R"({"inputs":")" + words + R"(","parameters":{"max_new_tokens":1}})"), "");
  EXPECT_EQ(error_of(Route::generate, R"({"inputs":")" + words + R"(","parameters":{"truncate":100}})"), "");
}

TEST(Validate, OnlyTheSegmentIsCountedAndTheAnswerEndsWithTheContext) {
  const auto valid = validated(Route::generate, R"({"inputs":"one two","parameters":{"max_new_tokens":4000000000}})");
  ASSERT_TRUE(valid);
  EXPECT_EQ(valid->request.prompt_tokens, 2U);
  EXPECT_EQ(valid->request.max_new_tokens, 32766U);
}

TEST(Validate, TruncateKeepsTheEnd) {
  const auto valid = validated(Route::generate, R"({"inputs":"one two three","parameters":{"truncate":2}})");
  ASSERT_TRUE(valid);
  EXPECT_EQ(valid->request.prompt, " two three");
  EXPECT_EQ(valid->request.prompt_tokens, 2U);
  EXPECT_EQ(valid->shape.prompt_characters, 13U);
}

TEST(Validate, DefaultsAndSeeds) {
  const auto plain = validated(Route::generate, R"({"inputs":"a"})");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->request.max_new_tokens, 100U);
  EXPECT_FALSE(plain->request.sampling.is_greedy);
  EXPECT_EQ(plain->shape.seed, kTestSeed);
  const auto greedy = validated(Route::generate, R"({"inputs":"a","parameters":{"seed":5}})");
  EXPECT_TRUE(greedy->request.sampling.is_greedy);
  EXPECT_EQ(greedy->shape.seed, std::nullopt);
  const auto sampled = validated(Route::generate, R"({"inputs":"a","parameters":{"seed":5,"top_k":3}})");
  EXPECT_EQ(sampled->shape.seed, 5U);
}

TEST(Validate, ModelByShortOrServedNameElseTheFirst) {
  const auto model = [](const char* name) {
    return validated(Route::generate, std::string(R"({"inputs":"a","model_id":")") + name + "\"}")->request.model;
  };
  EXPECT_EQ(model("qwen2"), 0U);
  EXPECT_EQ(model("llama3"), 1U);
  EXPECT_EQ(model("Meta-Llama-3.1-8B-Instruct-GPTQ-INT4"), 1U);
  EXPECT_EQ(model(""), 0U);
  EXPECT_EQ(model("tgi"), 0U);
}

TEST(Validate, ReportedModelFollowsTheRoute) {
  const auto chat = [](const char* name) {
    return validated(Route::chat,
                     std::string(R"({"messages":[{"role":"user","content":"a"}],"model":")") + name + "\"}")
        ->shape.reported_model;
  };
  EXPECT_EQ(chat("tgi"), "Qwen2-7B-Instruct-GPTQ-Int4");
  EXPECT_EQ(chat("llama3"), "llama3");
  EXPECT_EQ(chat("dummy"), "dummy");
  EXPECT_EQ(validated(Route::completions, R"({"prompt":"a","model":"llama3"})")->shape.reported_model,
            "Meta-Llama-3.1-8B-Instruct-GPTQ-INT4");
}

TEST(Validate, UnsupportedOpenAiMembersAreNamed) {
  EXPECT_EQ(error_of(Route::chat, R"({"messages":[{"role":"user","content":"a"}],"tools":[{}]})"),
            "tool_error: Tool error: `tools` are not supported by this server");
  EXPECT_EQ(error_of(Route::completions, R"({"prompt":"a","suffix":"b"})"),
            "suffix not supported: Suffix is not supported and can be achieved by preprocessing the prompt.");
  EXPECT_EQ(error_of(Route::completions, R"({"prompt":["a","b","c","d","e"]})"),
            "batch size exceeded: Number of prompts exceeds the maximum allowed batch size of 4");
  EXPECT_EQ(error_of(Route::completions, R"({"prompt":["a","b"]})"),
            "validation: Input validation error: `prompt` with more than one entry is not supported by this server");
  EXPECT_EQ(
      error_of(Route::chat, R"({"messages":[{"role":"user","content":[{"type":"image_url"}]}]})"),
      "validation: Input validation error: `messages` with content other than text is not supported by this server");
}

}  // namespace
}  // namespace refserver
