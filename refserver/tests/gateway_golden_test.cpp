// The six bodies of the gateway (three scenarios, two models), with and without sampling parameters: the prompt that
// reaches the engine and the answer, byte for byte. Requests are the bodies people send with curl.
#include <gtest/gtest.h>

#include <string>

#include "refserver/tests/pipeline.hpp"

namespace refserver {
namespace {

class GatewayGolden : public ::testing::TestWithParam<std::string> {};

TEST_P(GatewayGolden, PromptAndAnswerAreAsRecorded) {
  const std::string body = golden(GetParam() + ".request.json");
  auto valid = validated(Route::gateway, body);
  ASSERT_TRUE(valid) << valid.error().text;
  EXPECT_EQ(valid->request.prompt, golden(GetParam() + ".prompt.txt"));
  EXPECT_EQ(answer_to(Route::gateway, body), golden(GetParam() + ".response.json"));
}

TEST_P(GatewayGolden, StreamEndsWithTheSameTextModelAndCount) {
  std::string body = golden(GetParam() + ".request.json");
  body.insert(1, R"("stream":true,)");
  const std::string stream = answer_to(Route::gateway, body);
  const std::string whole = golden(GetParam() + ".response.json");
  const std::string model_and_count = whole.substr(whole.find(R"(,"model":)"));
  EXPECT_TRUE(stream.ends_with(model_and_count + "\n\n")) << stream.substr(stream.size() - 300);
}

TEST_P(GatewayGolden, ModelParameterAndScenarioAreHonoured) {
  const std::string name = GetParam();
  auto valid = validated(Route::gateway, golden(name + ".request.json"));
  ASSERT_TRUE(valid);
  EXPECT_EQ(valid->request.model, name.find("qwen2") != std::string::npos ? 0U : 1U);
  const bool has_parameters = name.find("_sampled") != std::string::npos;
  EXPECT_EQ(valid->request.max_new_tokens, has_parameters ? 5U : 100U);
  EXPECT_EQ(valid->request.sampling.temperature, has_parameters ? 0.7F : 1.0F);
  EXPECT_EQ(valid->request.sampling.top_p, has_parameters ? 0.9F : 1.0F);
  EXPECT_EQ(valid->request.sampling.seed, kTestSeed);
}

INSTANTIATE_TEST_SUITE_P(Bodies, GatewayGolden,
                         ::testing::Values("gateway_qwen2_qa", "gateway_qwen2_qa_sampled", "gateway_qwen2_summarize",
                                           "gateway_qwen2_summarize_sampled", "gateway_qwen2_rewrite",
                                           "gateway_qwen2_rewrite_sampled", "gateway_llama3_qa",
                                           "gateway_llama3_qa_sampled", "gateway_llama3_summarize",
                                           "gateway_llama3_summarize_sampled", "gateway_llama3_rewrite",
                                           "gateway_llama3_rewrite_sampled"),
                         [](const auto& test) { return test.param; });

TEST(Gateway, UnknownModelIsNotFoundAndUnknownScenarioIsNamed) {
  EXPECT_EQ(validated(Route::gateway, R"({"model_id":"gpt","inputs":"a"})").error().type, ErrorType::model_not_found);
  EXPECT_EQ(validated(Route::gateway, R"({"model_id":"","inputs":"a"})").error().type, ErrorType::model_not_found);
  EXPECT_EQ(
      answer_to(Route::gateway, R"({"model_id":"qwen2","inputs":"a","scenario":"poem"})"),
      R"({"error":"unknown scenario `poem`, expected one of: qa, rewrite, summarize","error_type":"unknown_scenario"})");
  EXPECT_EQ(validated(Route::gateway, R"({"inputs":"a"})").error().text,
            "Failed to deserialize the JSON body into the target type: missing field `model_id` at line 1 column 14");
}

TEST(Gateway, NoScenarioMeansTheRawPrompt) {
  for (const char* const body :
       {R"({"model_id":"qwen2","inputs":"raw text"})", R"({"model_id":"qwen2","inputs":"raw text","scenario":null})",
        R"({"model_id":"qwen2","inputs":"raw text","scenario":""})"}) {
    EXPECT_EQ(validated(Route::gateway, body)->request.prompt, "raw text") << body;
  }
}

TEST(Gateway, MaxTokensIsMaxNewTokensAndBothAreADuplicate) {
  EXPECT_EQ(answer_to(Route::gateway, R"({"model_id":"qwen2","inputs":"a","parameters":{"max_tokens":2}})"),
            R"({"generated_text":" t1 t2","model":"Qwen2-7B-Instruct-GPTQ-Int4","tokens":2})");
  EXPECT_EQ(
      validated(Route::gateway, R"({"model_id":"qwen2","inputs":"a","parameters":{"max_tokens":2,"max_new_tokens":2}})")
          .error()
          .type,
      ErrorType::body_shape);
}

TEST(Gateway, EmptyInputsAreRefusedInEveryScenario) {
  for (const char* const scenario : {"qa", "summarize", "rewrite", ""}) {
    EXPECT_EQ(
        validated(Route::gateway, std::string(R"({"model_id":"qwen2","inputs":"","scenario":")") + scenario + "\"}")
            .error()
            .text,
        "Input validation error: `inputs` cannot be empty");
  }
}

}  // namespace
}  // namespace refserver
