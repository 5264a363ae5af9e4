// /v1/generate to TGI and back, byte by byte.
#include "refserver/gateway/scenario_call.hpp"

#include <gtest/gtest.h>

#include "refserver/chat/chat_template.hpp"

namespace refserver {
namespace {

Backend backend(const char* family, const char* begin_text = "") {
  Backend out;
  out.address.name = "m";
  out.chat_template = *ChatTemplate::built_in(family);
  out.begin_text = begin_text;
  return out;
}

std::string body_for(std::string_view body, const Backend& to) {
  const auto call = read_scenario_call(body);
  if (!call) return call.error().text;
  const auto out = make_backend_body(*call, to);
  return out ? *out : out.error().text;
}

TEST(ScenarioCall, RendersTheScenarioWithTheModelsTemplate) {
  EXPECT_EQ(body_for(R"({"model_id":"m","scenario":"qa","inputs":"Why?"})", backend("qwen2")),
            R"({"inputs":"<|im_start|>system\nYou answer questions accurately and briefly. If you do not know, say so.)"
            R"(<|im_end|>\n<|im_start|>user\nQuestion: Why?<|im_end|>\n<|im_start|>assistant\n",)"
            R"("parameters":{"do_sample":true,"details":true}})");
}

TEST(ScenarioCall, LeavesOutWhatTheBackendsTokenizerPutsInFront) {
  const std::string_view body = R"({"model_id":"m","scenario":"qa","inputs":"Why?"})";
  EXPECT_TRUE(body_for(body, backend("llama3")).starts_with(R"({"inputs":"<|begin_of_text|><|start_header_id|>)"));
  EXPECT_TRUE(body_for(body, backend("llama3", "<|begin_of_text|>")).starts_with(R"({"inputs":"<|start_header_id|>)"));
}

TEST(ScenarioCall, ParametersTravelAsWrittenUnderTgisNames) {
  EXPECT_EQ(
      body_for(R"({"model_id":"m","inputs":"x","parameters":{"max_tokens": 7, "temperature":0.70,"details":false,)"
               R"("stop":["a\n","b"],"do_sample":false,"seed":18446744073709551615}})",
               backend("qwen2")),
      R"({"inputs":"x","parameters":{"max_new_tokens":7,"temperature":0.70,"stop":["a\n","b"],"do_sample":false,)"
      R"("seed":18446744073709551615,"details":true}})");
  EXPECT_EQ(body_for(R"({"model_id":"m","inputs":"x"})", backend("qwen2")),
            R"({"inputs":"x","parameters":{"do_sample":true,"details":true}})");
}

TEST(ScenarioCall, RefusesWhatRefserverRefuses) {
  EXPECT_EQ(read_scenario_call("{").error().type, ErrorType::body_malformed);
  EXPECT_EQ(read_scenario_call(R"({"inputs":"x"})").error().type, ErrorType::body_shape);
  EXPECT_EQ(read_scenario_call(R"({"model_id":"m","inputs":"x","parameters":{"seed":"1"}})").error().type,
            ErrorType::body_shape);
  EXPECT_EQ(body_for(R"({"model_id":"m","scenario":"poem","inputs":"x"})", backend("qwen2")),
            "unknown scenario `poem`, expected one of: qa, rewrite, summarize");
}

constexpr std::string_view kAnswer =
    R"({"generated_text":"a \"b\"","details":{"finish_reason":"length","generated_tokens":3,"seed":null}})";

TEST(ScenarioAnswer, HasModelAndTokens) {
  EXPECT_EQ(*make_scenario_answer(kAnswer, "Qwen2", false),
            R"({"generated_text":"a \"b\"","model":"Qwen2","tokens":3})");
  EXPECT_EQ(*make_scenario_answer(kAnswer, "Qwen2", true),
            R"({"generated_text":"a \"b\"","model":"Qwen2","tokens":3,"details":)"
            R"({"finish_reason":"length","generated_tokens":3,"seed":null}})");
}

TEST(ScenarioAnswer, IsNothingWhereTheBackendsIsNone) {
  for (const char* const body :
       {"", "[]", "{}", R"({"generated_text":"a"})", R"({"generated_text":"a","details":null})",
        R"({"generated_text":null,"details":{"generated_tokens":1}})",
        R"({"generated_text":"a","details":{"generated_tokens":-1}})",
        R"({"generated_text":"a","details":{"generated_tokens":1})"}) {
    EXPECT_FALSE(make_scenario_answer(body, "m", false)) << body;
  }
}

}  // namespace
}  // namespace refserver
