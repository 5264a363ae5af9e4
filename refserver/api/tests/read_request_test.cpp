// Bodies as TGI's users write them, and every body-layer error text of TGI 3.3.7 that applies here.
#include "refserver/api/read_request.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

namespace refserver {
namespace {

struct BadBody {
  Route route;
  const char* body;
  const char* text;  ///< after the fixed beginning
};

class MalformedBody : public ::testing::TestWithParam<BadBody> {};
TEST_P(MalformedBody, SaysWhereItStopsBeingJson) {
  const auto request = read_request(GetParam().route, GetParam().body);
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().type, ErrorType::body_malformed);
  EXPECT_EQ(request.error().text, std::string("Failed to parse the request body as JSON: ") + GetParam().text);
}
INSTANTIATE_TEST_SUITE_P(
    Bodies, MalformedBody,
    ::testing::Values(
        BadBody{Route::generate, "", "EOF while parsing a value at line 1 column 0"},
        BadBody{Route::generate, R"({"inputs":"a",})", "trailing comma at line 1 column 15"},
        BadBody{Route::generate, "not json", "expected ident at line 1 column 2"},
        BadBody{Route::generate, "{'inputs':'a'}", "key must be a string at line 1 column 2"},
        BadBody{Route::generate, R"({"inputs":"a)", "inputs: EOF while parsing a string at line 1 column 12"},
        BadBody{Route::generate, R"({"inputs":"a")", "EOF while parsing an object at line 1 column 13"},
        BadBody{Route::generate, "{\"inputs\":\n \"a\" \"b\"}", "expected `,` or `}` at line 2 column 6"},
        BadBody{Route::generate, R"({"inputs" "a"})", "inputs: expected `:` at line 1 column 11"},
        BadBody{Route::generate, R"({"x":01,"inputs":"a"})", "x: invalid number at line 1 column 7"},
        BadBody{Route::generate, R"({"x":1.,"inputs":"a"})", "x: invalid number at line 1 column 8"},
        BadBody{Route::generate, R"({"x":1e999,"inputs":"a"})", "x: number out of range at line 1 column 10"},
        BadBody{Route::generate, R"({"inputs":"\x"})", "inputs: invalid escape at line 1 column 13"},
        BadBody{Route::generate, R"({"inputs":"\ud800"})", "inputs: unexpected end of hex escape at line 1 column 18"},
        BadBody{Route::generate, "{\"inputs\":\"a\nb\"}",
                "inputs: control character (\\u0000-\\u001F) found while parsing a string at line 2 column 0"},
        BadBody{Route::generate, "{\"inputs\":\"\xff\"}", "inputs: invalid unicode code point at line 1 column 13"}));

class MisshapenBody : public ::testing::TestWithParam<BadBody> {};
TEST_P(MisshapenBody, NamesTheFieldAndWhatWasExpected) {
  const auto request = read_request(GetParam().route, GetParam().body);
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().type, ErrorType::body_shape);
  EXPECT_EQ(request.error().text,
            std::string("Failed to deserialize the JSON body into the target type: ") + GetParam().text);
}
INSTANTIATE_TEST_SUITE_P(
    Bodies, MisshapenBody,
    ::testing::Values(
        BadBody{Route::generate, "{}", "missing field `inputs` at line 1 column 2"},
        BadBody{Route::generate, R"({"inputs":5})",
                "inputs: invalid type: integer `5`, expected a string at line 1 column 11"},
        BadBody{Route::generate, R"({"inputs":["a","b"]})",
                "inputs: invalid type: sequence, expected a string at line 1 column 10"},
        BadBody{Route::generate, R"({"inputs":"a","parameters":null})",
                "parameters: invalid type: null, expected struct GenerateParameters at line 1 column 31"},
        BadBody{Route::generate, R"({"inputs":"a","parameters":{"max_new_tokens":"20"}})",
                "parameters.max_new_tokens: invalid type: string \"20\", expected u32 at line 1 column 49"},
        BadBody{Route::generate, R"({"inputs":"a","parameters":{"max_new_tokens":-1}})",
                "parameters.max_new_tokens: invalid value: integer `-1`, expected u32 at line 1 column 47"},
        BadBody{Route::generate, R"({"inputs":"a","parameters":{"max_new_tokens":20.0}})",
                "parameters.max_new_tokens: invalid type: floating point `20.0`, expected u32 at line 1 column 49"},
        BadBody{Route::generate, R"({"inputs":"a","parameters":{"max_new_tokens":4294967296}})",
                "parameters.max_new_tokens: invalid value: integer `4294967296`, expected u32 at line 1 column 55"},
        BadBody{
            Route::generate, R"({"inputs":"a","parameters":{"max_new_tokens":18446744073709551616}})",
            "parameters.max_new_tokens: invalid type: floating point `1.8446744073709552e19`, expected u32 at line 1 "
            "column 65"},
        BadBody{Route::generate, R"({"inputs":"a","parameters":{"stop":"x"}})",
                "parameters.stop: invalid type: string \"x\", expected a sequence at line 1 column 38"},
        BadBody{Route::generate, R"({"inputs":"a","parameters":{"details":null}})",
                "parameters.details: invalid type: null, expected a boolean at line 1 column 42"},
        BadBody{Route::generate, R"({"inputs":"a","parameters":{"grammar":{"type":"json"}}})",
                "parameters.grammar: missing field `value` at line 1 column 53"},
        BadBody{Route::generate, R"({"inputs":"a","inputs":"b"})", "duplicate field `inputs` at line 1 column 22"},
        BadBody{Route::compat, R"({"inputs":"a","stream":null})",
                "stream: invalid type: null, expected a boolean at line 1 column 27"},
        BadBody{Route::chat, R"({"model":"tgi"})", "missing field `messages` at line 1 column 15"},
        BadBody{Route::chat, R"({"messages":[{"role":"user"}]})",
                "messages[0]: data did not match any variant of untagged enum MessageBody at line 1 column 28"},
        BadBody{Route::chat, R"({"messages":[],"stop":"x"})",
                "stop: invalid type: string \"x\", expected a sequence at line 1 column 25"},
        BadBody{Route::chat, R"({"messages":[],"logit_bias":{}})",
                "logit_bias: invalid type: map, expected a sequence at line 1 column 28"},
        BadBody{Route::chat, R"({"messages":[],"max_tokens":1,"max_completion_tokens":1})",
                "duplicate field `max_tokens` at line 1 column 53"},
        BadBody{Route::chat, R"({"messages":[],"response_format":{"type":"json_object"}})",
                "response_format: missing field `value` at line 1 column 55"},
        BadBody{Route::chat, R"({"messages":[],"response_format":{"type":"text"}})",
                "response_format.type: unknown variant `text`, expected one of `json`, `json_object`, `regex`, "
                "`json_schema` at line 1 column 47"},
        BadBody{Route::chat, R"({"messages":[],"response_format":{"type":"json_schema","json_schema":{}}})",
                "response_format: missing field `value` at line 1 column 72"},
        BadBody{Route::chat, R"({"messages":[],"tools":[{"type":"function","function":{"name":"f"}}]})",
                "tools[0].function: missing field `arguments` at line 1 column 66"},
        BadBody{Route::chat, R"({"messages":[],"stream_options":null})",
                "stream_options: invalid type: null, expected struct StreamOptions at line 1 column 36"},
        BadBody{
            Route::chat, R"({"messages":[],"tool_choice":5})",
            "tool_choice: data did not match any variant of untagged enum ToolTypeDeserializer at line 1 column 31"},
        BadBody{Route::chat, R"({"messages":[{"role":"user","content":null}]})",
                "messages[0]: data did not match any variant of untagged enum MessageBody at line 1 column 43"},
        BadBody{Route::chat, R"({"messages":[{"role":"user","content":[{"type":"audio"}]}]})",
                "messages[0]: data did not match any variant of untagged enum MessageBody at line 1 column 57"},
        BadBody{Route::completions, R"({"prompt":[]})",
                "prompt: Empty array detected. Do not use an empty array for the prompt. at line 1 column 13"},
        BadBody{Route::completions, R"({"prompt":[1,2]})",
                "prompt: data did not match any variant of untagged enum PromptDeserializer at line 1 column 16"},
        BadBody{Route::completions, R"({"prompt":[1,2],"seed":1})",
                "prompt: data did not match any variant of untagged enum PromptDeserializer at line 1 column 15"},
        BadBody{Route::vertex, R"({"instances":[{"prompt":"a"}]})",
                "instances[0]: data did not match any variant of untagged enum VertexInstance at line 1 column 29"},
        BadBody{Route::generate, "[]",
                "invalid length 0, expected struct GenerateRequest with 2 elements at line 1 column 2"},
        BadBody{Route::generate, "[5]", "[0]: invalid type: integer `5`, expected a string at line 1 column 2"},
        BadBody{Route::invocations, R"({"text":"a"})",
                "data did not match any variant of untagged enum SagemakerRequest"}));

TEST(ReadRequest, BodiesMayComeAsArraysInFieldOrder) {
  const auto one = read_request(Route::generate, R"(["a"])");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->inputs, "a");
  EXPECT_TRUE(one->parameters.do_sample);
  const auto all = read_request(Route::compat, R"(["a",[null,0.5],true])");
  ASSERT_TRUE(all);
  EXPECT_EQ(all->parameters.temperature, 0.5F);
  EXPECT_FALSE(all->parameters.do_sample);
  EXPECT_TRUE(all->stream);
}

TEST(ReadRequest, InvocationsTakeTheFirstShapeThatFits) {
  const auto route = [](const char* body) { return read_request(Route::invocations, body)->route; };
  EXPECT_EQ(route(R"({"inputs":"a"})"), Route::compat);
  EXPECT_EQ(route(R"({"messages":[],"inputs":5})"), Route::chat);
  EXPECT_EQ(route(R"({"prompt":"a"})"), Route::completions);
  EXPECT_EQ(read_request(Route::invocations, R"({"inputs":)").error().type, ErrorType::body_malformed);
}

TEST(ReadRequest, NativeBodyWithEveryParameter) {
  const auto request = read_request(Route::generate_stream, R"({"inputs":"What is Deep Learning?","parameters":{
    "best_of":1,"temperature":0.5,"repetition_penalty":1.03,"frequency_penalty":0.1,"top_k":10,"top_p":0.95,
    "typical_p":0.9,"do_sample":true,"max_new_tokens":20,"return_full_text":false,"stop":["photographer"],
    "truncate":null,"watermark":false,"details":true,"decoder_input_details":false,"seed":7,"top_n_tokens":null,
    "grammar":null,"adapter_id":null,"unknown":{"a":[1,{"b":null}]}},"model_id":"llama3"} trailing)");
  ASSERT_TRUE(request) << request.error().text;
  EXPECT_EQ(request->inputs, "What is Deep Learning?");
  EXPECT_EQ(request->model, "llama3");
  EXPECT_TRUE(request->stream);
  const GenerateParameters& p = request->parameters;
  EXPECT_EQ(p.best_of, 1U);
  EXPECT_EQ(p.temperature, 0.5F);
  EXPECT_EQ(p.repetition_penalty, 1.03F);
  EXPECT_EQ(p.frequency_penalty, 0.1F);
  EXPECT_EQ(p.top_k, 10);
  EXPECT_EQ(p.top_p, 0.95F);
  EXPECT_EQ(p.typical_p, 0.9F);
  EXPECT_TRUE(p.do_sample);
  EXPECT_EQ(p.max_new_tokens, 20U);
  EXPECT_EQ(p.return_full_text, false);
  EXPECT_THAT(p.stop, ::testing::ElementsAre("photographer"));
  EXPECT_EQ(p.truncate, std::nullopt);
  EXPECT_TRUE(p.details);
  EXPECT_EQ(p.seed, 7U);
  EXPECT_FALSE(p.has_grammar);
}

TEST(ReadRequest, SamplingDefaultFlipsWhenParametersAreGiven) {
  EXPECT_TRUE(read_request(Route::generate, R"({"inputs":"a"})")->parameters.do_sample);
  EXPECT_FALSE(read_request(Route::generate, R"({"inputs":"a","parameters":{}})")->parameters.do_sample);
}

TEST(ReadRequest, StreamMemberCountsOnlyWhereTgiReadsIt) {
  EXPECT_TRUE(read_request(Route::compat, R"({"inputs":"a","stream":true})")->stream);
  EXPECT_FALSE(read_request(Route::generate, R"({"inputs":"a","stream":true})")->stream);
  EXPECT_FALSE(read_request(Route::generate, R"({"inputs":"a","stream":"anything"})")->stream);
}

TEST(ReadRequest, ModelChoiceIsLenientOnTgiRoutes) {
  EXPECT_EQ(read_request(Route::generate, R"({"inputs":"a","model":"llama3"})")->model, "llama3");
  EXPECT_EQ(read_request(Route::generate, R"({"inputs":"a","model_id":null})")->model, "");
  EXPECT_EQ(read_request(Route::generate, R"({"inputs":"a","model_id":{"x":1}})")->model, "");
}

TEST(ReadRequest, EscapesBecomeText) {
  EXPECT_EQ(read_request(Route::generate, R"({"inputs":"\u4f60\u597d \ud83d\ude00 \"\\\/\n\t"})")->inputs,
            "你好 😀 \"\\/\n\t");
}

TEST(ReadRequest, ChatMessagesOfEveryKind) {
  const auto request = read_request(Route::chat, R"({"model":"llama3","messages":[
    {"role":"system","content":"S"},{"role":"user","name":"u","content":[{"type":"text","text":"A"},{"type":"text","text":"B"}]},
    {"role":"assistant","content":null,"tool_calls":[]}],"max_completion_tokens":9,"temperature":0,"stream":true,
    "stream_options":{"include_usage":true},"stop":null,"n":1,"user":"x","logprobs":true,"tool_choice":"auto"})");
  ASSERT_TRUE(request) << request.error().text;
  ASSERT_EQ(request->messages.size(), 3U);
  EXPECT_EQ(request->messages[1].content, "AB");
  EXPECT_EQ(request->messages[2].role, "assistant");
  EXPECT_EQ(request->parameters.max_new_tokens, 9U);
  EXPECT_FALSE(request->parameters.do_sample);
  EXPECT_EQ(request->parameters.temperature, std::nullopt);
  EXPECT_TRUE(request->stream && request->include_usage && request->logprobs);
}

TEST(ReadRequest, ToolsAndToolCallsAreKeptAsWritten) {
  const auto request = read_request(Route::chat, R"({"messages":[{"role":"assistant","content":null,"tool_calls":
    [{"id":"0","type":"function","function":{"name":"f","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"0","content":"7"}],
    "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"tool_choice":"f"})");
  ASSERT_TRUE(request) << request.error().text;
  EXPECT_FALSE(request->messages[0].has_content);
  EXPECT_THAT(request->messages[0].tool_calls, ::testing::StartsWith("[{\"id\":\"0\""));
  EXPECT_EQ(request->messages[1].tool_call_id, "0");
  EXPECT_EQ(request->tools.definitions,
            R"([{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}])");
  EXPECT_EQ(request->tools.choice, ToolUse::Choice::named);
}

TEST(ReadRequest, WhatIsNotSupportedIsNoticed) {
  const auto tools = R"({"messages":[],"tools":[])";
  EXPECT_TRUE(read_request(Route::chat, std::string(tools) + "}")->tools.is_given);
  EXPECT_EQ(read_request(Route::chat, std::string(tools) + R"(,"tool_choice":"none"})")->tools.choice,
            ToolUse::Choice::none);
  EXPECT_TRUE(read_request(Route::chat, R"({"messages":[{"role":"user","content":[{"type":"image_url",
    "image_url":{"url":"http://x"}}]}]})")
                  ->has_images);
  EXPECT_TRUE(read_request(Route::chat, R"({"messages":[],"response_format":{"type":"regex","value":"a"}})")
                  ->parameters.has_grammar);
  EXPECT_TRUE(read_request(Route::completions, R"({"prompt":"a","suffix":""})")->has_suffix);
  EXPECT_EQ(read_request(Route::completions, R"({"prompt":["a","b"]})")->prompts.size(), 2U);
  EXPECT_EQ(read_request(Route::chat, R"({"messages":[],"presence_penalty":-2})")->parameters.repetition_penalty, 0.0F);
}

TEST(ReadRequest, DepthIsLimited) {
  const auto nested = [](std::size_t depth) {
    return R"({"inputs":"a","x":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_TRUE(read_request(Route::generate, nested(126)));
  const auto refused = read_request(Route::generate, nested(100'000));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, ::testing::HasSubstr("recursion limit exceeded at line 1"));
}

TEST(ReadRequest, AnyMutationOfABodyIsReadOrRefused) {
  const std::string body =
      R"({"inputs":"a\u00e9 \ud83d\ude00","parameters":{"stop":["x"],"temperature":-1.5e-3,"seed":12},"stream":false})";
  std::mt19937 random(11);  // NOLINT: the same bodies every run
  int refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string hostile = body;
    for (int n = 0; n < 1 + round % 3; ++n) hostile[random() % hostile.size()] = static_cast<char>(random() % 256);
    hostile.resize(hostile.size() - random() % 8);
    for (const Route route : {Route::compat, Route::chat, Route::completions, Route::gateway, Route::vertex,
                              Route::invocations, Route::tokenize}) {
      const auto request = read_request(route, hostile);
      if (!request) {
        ++refused;
        EXPECT_FALSE(request.error().text.empty());
      }
    }
  }
  EXPECT_GT(refused, 100'000);
}

}  // namespace
}  // namespace refserver
