// The bytes of a request on every route.
#include "loadgen/drive/request_writer.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "loadgen/plan/endpoint_template.hpp"
#include "loadgen/plan/length_draw.hpp"
#include "loadgen/plan/made_prompts.hpp"

namespace loadgen {
namespace {

Scenario one_entry(Route route, Delivery delivery) {
  Scenario scenario;
  scenario.nonce = false;
  MixEntry entry;
  entry.name = "e";
  entry.target = {"http://127.0.0.1:8080", "127.0.0.1", 8080, "127.0.0.1:8080", ""};
  entry.route = route;
  entry.delivery = delivery;
  entry.model = "qwen2";
  entry.parameters.max_new_tokens = 64;
  entry.prompts = {"Say \"hi\"\n你好"};
  scenario.mix = {entry};
  return scenario;
}

struct Written {
  std::string head, body;
};

Written written(const Scenario& scenario, std::uint64_t index = 0) {
  const Plan plan(scenario);
  const RequestWriter writer(plan, "run1");
  std::string out = "left over from before";
  writer.write(plan.request(index), out);
  const auto blank = out.find("\r\n\r\n");
  return {out.substr(0, blank + 2), out.substr(blank + 4)};
}

TEST(RequestWriter, WritesTgiStreamRequests) {
  const Written w = written(one_entry(Route::tgi_stream, Delivery::stream), 7);
  EXPECT_EQ(w.body,
            R"({"inputs":"Say \"hi\"\n你好","parameters":{"max_new_tokens":64,"details":true},"model_id":"qwen2"})");
  EXPECT_EQ(w.head.substr(0, 36), "POST /generate_stream HTTP/1.1\r\nhost");
  EXPECT_NE(w.head.find("\r\nhost: 127.0.0.1:8080\r\n"), std::string::npos);
  EXPECT_NE(w.head.find("\r\nx-request-id: run1-7\r\n"), std::string::npos);
  EXPECT_NE(w.head.find("\r\ncontent-length: " + std::to_string(w.body.size()) + "\r\n"), std::string::npos);
}

TEST(RequestWriter, WritesPromptsThatAreMadeUp) {
  Scenario scenario = one_entry(Route::tgi_stream, Delivery::stream);
  scenario.nonce = true;
  scenario.mix[0].prompts.clear();
  scenario.mix[0].made =
      std::make_shared<const MadePrompts>(MadePrompts{*parse_length_draw("uniform(5, 9000)"), PromptWords::usual()});
  const Plan plan(scenario);
  for (std::uint64_t index = 0; index < 50; ++index) {
    const Written w = written(scenario, index);
    EXPECT_EQ(w.body, R"({"inputs":")" + plan.prompt_text(plan.request(index)) +
                          R"(","parameters":{"max_new_tokens":64,"details":true},"model_id":"qwen2"})");
    EXPECT_NE(w.head.find("\r\ncontent-length: " + std::to_string(w.body.size()) + "\r\n"), std::string::npos);
  }
}

TEST(RequestWriter, WritesTheOtherRoutes) {
  EXPECT_EQ(
      written(one_entry(Route::openai_chat, Delivery::stream)).body,
      R"({"model":"qwen2","messages":[{"role":"user","content":"Say \"hi\"\n你好"}],"max_tokens":64,"stream":true,"stream_options":{"include_usage":true}})");
  EXPECT_EQ(written(one_entry(Route::openai_completions, Delivery::whole)).body,
            R"({"model":"qwen2","prompt":"Say \"hi\"\n你好","max_tokens":64,"stream":false})");
  Scenario gateway = one_entry(Route::gateway, Delivery::whole);
  gateway.mix[0].scenario = "qa";
  gateway.mix[0].parameters.temperature = 0.7;
  gateway.mix[0].target.base_path = "/api";
  const Written w = written(gateway);
  EXPECT_EQ(
      w.body,
      R"({"model_id":"qwen2","scenario":"qa","inputs":"Say \"hi\"\n你好","parameters":{"max_new_tokens":64,"temperature":0.7},"stream":false})");
  EXPECT_EQ(w.head.substr(0, 22), "POST /api/v1/generate ");
}

TEST(RequestWriter, PutsTheNonceBeforeThePromptAsThePlanSpellsIt) {
  Scenario scenario = one_entry(Route::tgi, Delivery::whole);
  scenario.nonce = true;
  scenario.mix[0].headers = {{"x-team", "perf"}};
  const Plan plan(scenario);
  for (std::uint64_t index = 0; index < 50; ++index) {
    const Written w = written(scenario, index);
    const auto body = nlohmann::json::parse(w.body);
    EXPECT_EQ(body["inputs"].get<std::string>(), plan.prompt_text(plan.request(index)));
    EXPECT_NE(w.head.find("content-length: " + std::to_string(w.body.size()) + "\r\n"), std::string::npos);
    EXPECT_NE(w.head.find("x-team: perf\r\n"), std::string::npos);
  }
}

TEST(RequestWriter, FillsInTemplates) {
  EndpointTemplate endpoint;
  endpoint.path = "/v2/models/{model}/generate_stream";
  endpoint.framing = Framing::ndjson;
  endpoint.body =
      R"({"q":"<user>{prompt}<end>","n":"{max_tokens}","t":"{temperature}","o":{"s":"{seed}","m":["{model}"]},"i":"{model}/{seed}","on":"{stream}"})";
  Scenario scenario = one_entry(Route::custom, Delivery::stream);
  scenario.mix[0].endpoint = std::make_shared<const EndpointTemplate>(endpoint);
  scenario.mix[0].model = "a/b \"c\"";
  const Written w = written(scenario);
  EXPECT_EQ(w.body, R"({"q":"<user>Say \"hi\"\n你好<end>","n":64,"o":{"m":["a/b \"c\""]},"i":"a/b \"c\"/","on":true})");
  EXPECT_EQ(w.head.substr(0, w.head.find("\r\n")), "POST /v2/models/a%2Fb%20%22c%22/generate_stream HTTP/1.1");
  EXPECT_NE(w.head.find("accept: application/x-ndjson"), std::string::npos);
}

TEST(RequestWriter, PutsAPromptInTwiceWithItsNonce) {
  EndpointTemplate endpoint;
  endpoint.path = "/";
  endpoint.body = R"({"a":"<{prompt}>","b":"{prompt}"})";
  Scenario scenario = one_entry(Route::custom, Delivery::whole);
  scenario.mix[0].endpoint = std::make_shared<const EndpointTemplate>(endpoint);
  scenario.mix[0].prompts = {"one", "two"};
  scenario.nonce = true;
  scenario.index_header = "x-index";
  const Plan plan(scenario);
  std::set<std::string> prompts;
  for (std::uint64_t index : {0U, 9U, 10U, 123456U, 8U}) {
    const Written w = written(scenario, index);
    const std::string prompt = plan.prompt_text(plan.request(index));
    prompts.insert(prompt);
    EXPECT_EQ(w.body, R"({"a":"<)" + prompt + R"(>","b":")" + prompt + R"("})");
    EXPECT_NE(w.head.find("x-request-id: run1-" + std::to_string(index) + "\r\nx-index: " + std::to_string(index) +
                          "\r\ncontent-length: " + std::to_string(w.body.size()) + "\r\n"),
              std::string::npos);
  }
  EXPECT_EQ(prompts.size(), 5U);
}

TEST(RequestWriter, SendsWhatServersBesideOpenAiUnderstand) {
  Scenario scenario = one_entry(Route::openai_chat, Delivery::stream);
  scenario.mix[0].parameters.ignore_eos = scenario.mix[0].parameters.continuous_usage = true;
  scenario.mix[0].parameters.min_tokens = 64;
  const auto body = nlohmann::json::parse(written(scenario).body);
  EXPECT_EQ(body["ignore_eos"], true);
  EXPECT_EQ(body["min_tokens"], 64);
  EXPECT_EQ(body["stream_options"]["continuous_usage_stats"], true);
}

TEST(RequestWriter, FillsInANumberOfTokensOfEachRequest) {
  Scenario scenario = one_entry(Route::openai_chat, Delivery::whole);
  scenario.mix[0].parameters.drawn_tokens = std::make_shared<const LengthDraw>(*parse_length_draw("uniform(1, 2000)"));
  const Plan plan(scenario);
  std::set<std::uint32_t> seen;
  for (std::uint64_t index = 0; index < 50; ++index) {
    const Written w = written(scenario, index);
    const auto body = nlohmann::json::parse(w.body);
    ASSERT_TRUE(body["max_tokens"].is_number_unsigned()) << w.body;
    EXPECT_EQ(body["max_tokens"], plan.request(index).tokens);
    EXPECT_NE(w.head.find("\r\ncontent-length: " + std::to_string(w.body.size()) + "\r\n"), std::string::npos);
    EXPECT_EQ(body["messages"][0]["content"], "Say \"hi\"\n你好");
    seen.insert(plan.request(index).tokens);
  }
  EXPECT_GT(seen.size(), 40U);
}

TEST(RequestWriter, ATemplateMayHaveTheNumberBeforeThePromptAndInsideAText) {
  EndpointTemplate endpoint;
  endpoint.path = "/x";
  endpoint.body = R"({"n":"{max_tokens}","text":"{prompt}","limits":["up to {max_tokens} tokens"]})";
  Scenario scenario = one_entry(Route::custom, Delivery::whole);
  scenario.mix[0].endpoint = std::make_shared<const EndpointTemplate>(endpoint);
  scenario.mix[0].parameters.drawn_tokens = std::make_shared<const LengthDraw>(*parse_length_draw("uniform(7, 7)"));
  EXPECT_EQ(written(scenario).body, R"({"n":7,"text":"Say \"hi\"\n你好","limits":["up to 7 tokens"]})");
}

}  // namespace
}  // namespace loadgen
