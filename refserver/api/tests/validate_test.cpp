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
        Refusal{R"({"best_of":2})", "you must use sampling when `best_of` is > 1"},
        Refusal{R"({"best_of":3,"temperature":0})", "`best_of` must be > 0 and <= 2. Given: 3"},
        Refusal{R"({"best_of":2,"do_sample":true,"seed":1})", "`seed` must not be set when `best_of` > 1"},
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
        Refusal{R"({"top_n_tokens":6})", "`top_n_tokens` must be >= 0 and <= 5. Given: 6"},
        Refusal{R"({"truncate":0})", "`truncate` must be strictly positive and less than 32767. Given: 0"},
        Refusal{R"({"truncate":32768})", "`truncate` must be strictly positive and less than 32767. Given: 32768"},
        Refusal{R"({"min_tokens":3,"max_new_tokens":2})",
                "`min_tokens` must be <= 2, the longest answer possible here. Given: 3"},
        Refusal{R"({"grammar":{"type":"regex","value":"a"}})", "grammar is not supported"}));

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
  EXPECT_EQ(error_of(Route::generate, R"({"inputs":")" + words + R"(","parameters":{"max_new_tokens":100}})"),
            "validation: Input validation error: `inputs` tokens + `max_new_tokens` must be <= 32768. Given: 32767 "
            "`inputs` tokens and 100 `max_new_tokens`");
  EXPECT_EQ(error_of(Route::generate, R"({"inputs":")" + words + R"("})"), "");
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
  EXPECT_EQ(error_of(Route::completions, R"({"prompt":"a","suffix":"b"})"),
            "suffix not supported: Suffix is not supported and can be achieved by preprocessing the prompt.");
  EXPECT_EQ(error_of(Route::completions, R"({"prompt":["a","b","c","d","e"]})"),
            "batch size exceeded: Number of prompts exceeds the maximum allowed batch size of 4");
  const std::string image =
      R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"u"}}]}]})";
  EXPECT_EQ(
      error_of(Route::chat, image),
      "validation: Input validation error: `messages` with content other than text is not supported by this server");
  const auto strict = validated(Route::chat, image, Dialect::strict_tgi);
  ASSERT_TRUE(strict);
  EXPECT_NE(strict->request.prompt.find("![](u)"), std::string::npos);
}

TEST(Validate, ToolsAnswerAsTgiWithoutGrammars) {
  const std::string head = R"({"messages":[{"role":"user","content":"a"}],)";
  const std::string tools = R"("tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}])";
  const std::string unsupported = "validation: Input validation error: grammar is not supported";
  EXPECT_EQ(error_of(Route::chat, head + tools + "}"), unsupported);
  EXPECT_EQ(error_of(Route::chat, head + R"("tools":[]})"), unsupported);
  EXPECT_EQ(error_of(Route::chat, head + R"("tools":[],"tool_choice":"required"})"), "");
  EXPECT_EQ(error_of(Route::chat, head + tools + R"(,"tool_choice":"none"})"), "");
  EXPECT_EQ(error_of(Route::chat, head + tools + R"(,"tool_choice":"f"})"), unsupported);
  EXPECT_EQ(error_of(Route::chat, head + tools + R"(,"tool_choice":"g"})"),
            "tool_error: Tool error: Tool with name g not found");
  EXPECT_EQ(error_of(Route::chat, head + tools + R"(,"tool_choice":{"type":"function","function":{"name":"none"}}})"),
            "tool_error: Tool error: Tool with name none not found");
  EXPECT_EQ(error_of(Route::chat, head + R"("tools":[],"response_format":{"type":"regex","value":"a"}})"),
            "tool_error: Tool error: Grammar and tools are mutually exclusive");
  EXPECT_EQ(error_of(Route::chat, head + R"("response_format":{"type":"json","value":{}}})"), unsupported);
}

TEST(Validate, StrictAnswersGoOnInSegments) {
  const auto long_one =
      validated(Route::generate, R"({"inputs":"a b","parameters":{"max_new_tokens":1500}})", Dialect::strict_tgi);
  ASSERT_TRUE(long_one);
  EXPECT_EQ(long_one->request.max_new_tokens, 1024U);
  EXPECT_EQ(long_one->total_new_tokens, 1500U);
  const auto unasked = validated(Route::generate, R"({"inputs":"a b"})", Dialect::strict_tgi);
  EXPECT_EQ(unasked->total_new_tokens, 32766U);
  const auto ours = validated(Route::generate, R"({"inputs":"a b","parameters":{"max_new_tokens":1500}})");
  EXPECT_EQ(ours->request.max_new_tokens, 1500U);
  EXPECT_EQ(ours->total_new_tokens, 1500U);
}

TEST(Validate, OurParametersAreUnknownToTheStrictDialect) {
  const std::string body = R"({"inputs":"a","model":"llama3","parameters":{"ignore_eos":true,"min_tokens":7}})";
  const auto ours = validated(Route::generate, body);
  EXPECT_TRUE(ours->request.ignore_eos);
  EXPECT_EQ(ours->request.min_new_tokens, 7U);
  EXPECT_EQ(ours->request.model, 1U);
  const auto strict = validated(Route::generate, body, Dialect::strict_tgi);
  EXPECT_FALSE(strict->request.ignore_eos);
  EXPECT_EQ(strict->request.min_new_tokens, 0U);
  EXPECT_EQ(strict->request.model, 0U);
  for (const Route route : {Route::chat, Route::completions}) {
    const std::string openai =
        route == Route::chat ? R"({"messages":[{"role":"user","content":"a"}])" : R"({"prompt":"a")";
    const auto valid = validated(route, openai + R"(,"ignore_eos":true,"min_tokens":2})");
    EXPECT_TRUE(valid->request.ignore_eos);
    EXPECT_EQ(valid->request.min_new_tokens, 2U);
  }
}

TEST(Validate, OnlyPromptDetailsKeepThePrefixCacheFromBeingRead) {
  EXPECT_TRUE(validated(Route::generate, R"({"inputs":"a"})")->request.reads_prefix_cache);
  EXPECT_FALSE(validated(Route::generate, R"({"inputs":"a","parameters":{"decoder_input_details":true}})")
                   ->request.reads_prefix_cache);
  EXPECT_TRUE(validated(Route::completions, R"({"prompt":"a"})")->request.reads_prefix_cache);
  EXPECT_FALSE(validated(Route::completions, R"({"prompt":"a"})", Dialect::strict_tgi)->request.reads_prefix_cache);
  EXPECT_TRUE(validated(Route::completions, R"({"prompt":"a","stream":true})", Dialect::strict_tgi)
                  ->request.reads_prefix_cache);
}

TEST(Prepare, SeveralPromptsAndInstancesAreSeveralRequests) {
  const Validator validator = test_validator();
  auto prompts = validator.prepare(*read_request(Route::completions, R"({"prompt":["a","b","c"],"max_tokens":4})"));
  ASSERT_EQ(prompts->size(), 3U);
  EXPECT_EQ((*prompts)[0].inputs + (*prompts)[1].inputs + (*prompts)[2].inputs, "abc");
  EXPECT_EQ((*prompts)[1].parameters.max_new_tokens, 4U);
  auto instances = validator.prepare(
      *read_request(Route::vertex, R"({"instances":[{"inputs":"a","parameters":{"max_new_tokens":3,"seed":4,"top_k":0}},
                                       {"messages":[{"role":"user","content":"b"}],"max_tokens":5}]})"));
  ASSERT_EQ(instances->size(), 2U);
  EXPECT_EQ(instances->front().parameters.seed, 4U);
  EXPECT_EQ(instances->front().parameters.top_k, std::nullopt);
  EXPECT_TRUE(instances->front().parameters.do_sample);
  EXPECT_EQ(instances->back().parameters.max_new_tokens, 5U);
  EXPECT_FALSE(instances->back().inputs.empty());
  EXPECT_EQ(validator.prepare(*read_request(Route::vertex, R"({"instances":[]})")).error().type,
            ErrorType::no_instances);
}

TEST(Prepare, AModelsOwnPortServesNoOther) {
  const auto prepared =
      test_validator().prepare(*read_request(Route::generate, R"({"inputs":"a","model_id":"qwen2"})"), 1);
  EXPECT_EQ(prepared->front().model_index, 1U);
}

}  // namespace
}  // namespace refserver
