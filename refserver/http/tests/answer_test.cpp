// Answers of more than one sequence, ports, keys, segments: what an answer does beyond one prompt and one stream.
#include "refserver/http/answer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "refserver/http/request_log.hpp"
#include "refserver/http/tests/loopback.hpp"

namespace refserver {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

constexpr TestTiming kFast{1ms, 100us};

std::vector<std::string> events_of(const std::string& body) {
  std::vector<std::string> events;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t end = body.find("\n\n", at);
    events.push_back(body.substr(at, end - at));
    at = end + 2;
  }
  return events;
}

std::string number_after(const std::string& text, const std::string& key) {
  const std::size_t at = text.find(key);
  if (at == std::string::npos) return "";
  return text.substr(at + key.size(), text.find_first_not_of("0123456789", at + key.size()) - at - key.size());
}

TEST(BestOf, ShowsTheWinnerAndTheOthersAndTakesAPermitForEach) {
  HttpOptions options;
  options.max_concurrent_requests = 2;
  TestServer server(options);
  TestClient client(server);
  const auto answer = client.post(
      "/generate",
      R"({"inputs":"a","parameters":{"best_of":2,"do_sample":true,"details":true,"max_new_tokens":1,"top_n_tokens":2}})");
  ASSERT_EQ(answer.status, 200);
  const std::string sequence = R"("prefill":[],"tokens":[{"id":1,"text":" t1","logprob":-0.125,"special":false}])";
  const std::string top = R"(,"top_tokens":[[{"id":1,"text":" t1","logprob":-0.125,"special":false},)"
                          R"({"id":1000002,"text":" a2","logprob":-2.125,"special":false}]])";
  const std::string shown = std::regex_replace(answer.body, std::regex(R"("seed":\d+)"), R"("seed":S)");
  EXPECT_EQ(shown, R"({"generated_text":" t1","details":{"finish_reason":"length","generated_tokens":1,"seed":S,)" +
                       sequence +
                       R"(,"best_of_sequences":[{"generated_text":" t1","finish_reason":"length","generated_tokens":1,)"
                       R"("seed":S,)" +
                       sequence + top + "}]" + top + "}}");
  EXPECT_NE(number_after(answer.body, R"("seed":)"),
            number_after(answer.body.substr(answer.body.find("best_of")), R"("seed":)"));
  EXPECT_EQ(metric(server, "tgi_request_success"), 1);
  EXPECT_EQ(metric(server, "tgi_request_count"), 1);
  EXPECT_TRUE(reaches(server, "tgi_batch_current_size", 0));
}

TEST(BestOf, IsRefusedWhenNotEveryCopyGetsAPermit) {
  HttpOptions options;
  options.max_concurrent_requests = 1;
  TestServer server(options);
  TestClient client(server);
  const std::string two = R"({"inputs":"a","parameters":{"best_of":2,"do_sample":true,"max_new_tokens":1}})";
  const auto refused = client.post("/generate", two);
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.head, HasSubstr("retry-after: 1\r\n"));
  EXPECT_EQ(client.post("/generate", R"({"inputs":"a","parameters":{"max_new_tokens":1}})").status, 200);
}

TEST(BestOf, TheFirstOfEqualMeansWinsAndALikelierOneBeatsIt) {
  const auto collected = [](std::vector<float> logprobs) {
    CollectedAnswer answer{AnswerShape{}};
    for (const float logprob : logprobs) {
      TokenEvent event;
      event.token.logprob = logprob;
      answer.add(event);
    }
    return answer;
  };
  EXPECT_EQ(collected({-1.0F, -3.0F}).mean_logprob(), -2.0F);
  EXPECT_GT(collected({-1.0F}).mean_logprob(), collected({-1.0F, -1.5F}).mean_logprob());
}

TEST(Prompts, StreamInStrictRoundRobinEachWithItsOwnEnd) {
  TestServer server;
  TestClient client(server);
  const auto answer = client.post("/v1/completions", R"({"prompt":["a","b c","d"],"max_tokens":3,"stream":true})");
  const std::vector<std::string> events = events_of(answer.body);
  ASSERT_EQ(events.size(), 10U);
  for (std::size_t i = 0; i < 9; ++i) {
    EXPECT_EQ(number_after(events[i], R"("choices":[{"index":)"), std::to_string(i % 3)) << events[i];
    EXPECT_EQ(events[i].find("usage") != std::string::npos, i >= 6) << events[i];
  }
  EXPECT_THAT(events[7], HasSubstr(R"("usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5})"));
  EXPECT_EQ(events[9], "data: [DONE]");
  EXPECT_THAT(answer.head, HasSubstr("x-compute-characters: 5\r\n"));
  EXPECT_EQ(metric(server, "tgi_request_count"), 4);
  EXPECT_EQ(metric(server, "tgi_request_success"), 3);
}

TEST(Prompts, ARefusedOneSendsItsErrorInItsTurnAndTheOthersGoOn) {
  TestServer server;
  TestClient client(server);
  const auto answer = client.post("/v1/completions", R"({"prompt":["a","","c"],"max_tokens":2,"stream":true})");
  const std::vector<std::string> events = events_of(answer.body);
  ASSERT_EQ(events.size(), 6U);
  EXPECT_THAT(events[1], HasSubstr("`inputs` cannot be empty"));
  EXPECT_THAT(events[3], HasSubstr(R"("index":0)"));
  EXPECT_THAT(events[4], HasSubstr(R"("index":2)"));
  EXPECT_EQ(events[5], "data: [DONE]");
}

TEST(Prompts, WholeAnswersAddUpAndOneFailureFailsAll) {
  TestServer server;
  TestClient client(server);
  const auto answer = client.post("/v1/completions", R"({"prompt":["a","b c"],"max_tokens":2})");
  EXPECT_THAT(answer.body,
              HasSubstr(R"("choices":[{"index":0,"text":" t1 t2","logprobs":null,"finish_reason":"length"},)"
                        R"({"index":1,"text":" t1 t2","logprobs":null,"finish_reason":"length"}],)"
                        R"("usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}})"));
  EXPECT_THAT(answer.head, HasSubstr("x-prompt-tokens: 3\r\n"));
  EXPECT_THAT(answer.head, HasSubstr("x-generated-tokens: 4\r\n"));
  const auto failed = client.post("/v1/completions", R"({"prompt":["a",""],"max_tokens":2})");
  EXPECT_EQ(failed.status, 422);
  EXPECT_EQ(failed.body, R"({"error":"Input validation error: `inputs` cannot be empty","error_type":"validation"})");
  EXPECT_TRUE(reaches(server, "tgi_batch_current_size", 0));
}

TEST(Vertex, PredictsInOrderAndHidesWhatFailed) {
  TestServer server;
  TestClient client(server);
  const auto answer = client.post(
      "/vertex",
      R"({"instances":[{"inputs":"a","parameters":{"max_new_tokens":2}},{"messages":[{"role":"user","content":"b"}],"max_tokens":1}]})");
  EXPECT_EQ(answer.body, R"({"predictions":[" t1 t2"," t1"]})");
  EXPECT_THAT(answer.head, Not(HasSubstr("x-compute")));
  const auto failed = client.post("/vertex", R"({"instances":[{"inputs":"a"},{"inputs":""}]})");
  EXPECT_EQ(failed.status, 500);
  EXPECT_EQ(failed.body, R"({"error":"Incomplete generation","error_type":"Incomplete generation"})");
  const auto empty = client.post("/vertex", R"({"instances":[]})");
  EXPECT_EQ(empty.status, 422);
  EXPECT_EQ(empty.body, R"({"error":"Input validation error","error_type":"Input validation error"})");
}

TEST(Invocations, AnswerAsTheRouteWhoseBodyTheyHold) {
  TestServer server;
  TestClient client(server);
  EXPECT_EQ(client.post("/invocations", R"({"inputs":"a","parameters":{"max_new_tokens":1}})").body,
            R"([{"generated_text":"a t1"}])");
  EXPECT_THAT(client.post("/invocations", R"({"messages":[{"role":"user","content":"a"}],"max_tokens":1})").body,
              HasSubstr("chat.completion"));
  EXPECT_THAT(client.post("/invocations", R"({"prompt":"a","max_tokens":1})").body, HasSubstr("text_completion"));
  EXPECT_EQ(client.post("/invocations", R"({"x":1})").status, 422);
}

TEST(Key, IsAskedForBeforeBodyTypeAndMethod) {
  HttpOptions options;
  options.api_key = "Secret";
  TestServer server(options);
  TestClient client(server);
  const auto status = [&](const std::string& request) {
    client.send(request);
    return client.read_answer().status;
  };
  for (const char* const path : {"/", "/info", "/health", "/ping", "/metrics", "/v1/models", "/docs"}) {
    EXPECT_EQ(client.get(path).status, 200) << path;
  }
  EXPECT_EQ(client.post("/chat_tokenize", R"({"messages":[{"role":"user","content":"a"}]})").status, 200);
  EXPECT_EQ(client.get("/generate").status, 401);
  EXPECT_EQ(client.get("/debug/state").status, 401);
  EXPECT_EQ(status("GET /nothing HTTP/1.1\r\nhost: t\r\n\r\n"), 404);
  EXPECT_EQ(status("GET /debug/state HTTP/1.1\r\nhost: t\r\nauthorization: bearer secret\r\n\r\n"), 200);
  const std::string body = R"({"inputs":"a","parameters":{"max_new_tokens":1}})";
  EXPECT_EQ(status(TestClient::request("/generate", body, "authorization: BEARER sECRET\r\n")), 200);
  for (const char* const wrong : {"", "authorization: Bearer Secre\r\n", "authorization: Secret\r\n",
                                  "authorization: Basic x\r\nauthorization: Bearer Secret\r\n"}) {
    TestClient stranger(server);
    stranger.send(TestClient::request("/tokenize", "not json", wrong));
    const auto refused = stranger.read_answer();
    EXPECT_EQ(refused.status, 401) << wrong;
    EXPECT_EQ(refused.body, "");
    EXPECT_THAT(refused.head, Not(HasSubstr("content-type")));
  }
}

TEST(Cors, ListsOriginsOrTakesAny) {
  HttpOptions options;
  options.cors_allowed_origins = {"http://a.example", "http://b.example"};
  TestServer server(options);
  TestClient client(server);
  client.send("OPTIONS /generate HTTP/1.1\r\nhost: t\r\norigin: http://b.example\r\n\r\n");
  EXPECT_THAT(client.read_answer().head, HasSubstr("access-control-allow-origin: http://b.example\r\n"));
  client.send("GET /health HTTP/1.1\r\nhost: t\r\norigin: http://c.example\r\n\r\n");
  const auto other = client.read_answer();
  EXPECT_THAT(other.head, Not(HasSubstr("access-control-allow-origin")));
  EXPECT_THAT(other.head, HasSubstr("vary: origin"));
}

TEST(ModelPort, LooksLikeOneTgi) {
  HttpOptions options;
  options.model_ports = {{1, 0}};
  TestServer server(options);
  const std::vector<std::uint16_t> ports = server.server.model_ports();
  ASSERT_EQ(ports.size(), 1U);
  TestClient own(ports[0]);
  EXPECT_THAT(own.get("/info").body, HasSubstr(R"("model_id":"Meta-Llama-3.1-8B-Instruct-GPTQ-INT4")"));
  EXPECT_THAT(own.get("/v1/models").body, Not(HasSubstr("Qwen")));
  EXPECT_THAT(own.post("/v1/completions", R"({"prompt":"a","model":"qwen2","max_tokens":1})").body,
              HasSubstr(R"("model":"Meta-Llama-3.1-8B-Instruct-GPTQ-INT4")"));
  EXPECT_THAT(own.get("/metrics").body, HasSubstr("\ntgi_request_success 1\n"));
  TestClient main(server);
  EXPECT_EQ(main.post("/generate", R"({"inputs":"a","parameters":{"max_new_tokens":1}})").status, 200);
  EXPECT_THAT(main.get("/metrics").body, HasSubstr("\ntgi_request_success 2\n"));
  EXPECT_THAT(own.get("/metrics").body, HasSubstr("\ntgi_request_success 1\n"));
}

TEST(Strict, LongAnswersGoOnInSegmentsWithoutABreak) {
  TestServer server({}, {0ms, 0ms}, nullptr, {.dialect = Dialect::strict_tgi});
  TestClient client(server);
  const auto answer =
      client.post("/generate_stream", R"({"inputs":"a","parameters":{"max_new_tokens":1100,"details":true}})");
  const std::vector<std::string> events = events_of(answer.body);
  ASSERT_EQ(events.size(), 2048U);
  EXPECT_THAT(events[1023], HasSubstr(R"("index":1024,"token":{"id":1024,"text":" t1024",)"));
  EXPECT_THAT(events[1023], HasSubstr(R"("generated_text":null)"));
  EXPECT_THAT(events[1024], HasSubstr(R"("index":1025,"token":{"id":1,"text":" t1",)"));
  EXPECT_THAT(events[2047], HasSubstr(R"("generated_tokens":2048,"seed":null,"input_length":1})"));
  EXPECT_THAT(events[2047], HasSubstr(" t1024 t1 t2"));
  EXPECT_EQ(metric(server, "tgi_request_input_length_count"), 2);
  EXPECT_EQ(metric(server, "tgi_request_success"), 1);
}

TEST(Strict, ASegmentThatNoLongerFitsEndsTheAnswer) {
  TestServer server({}, {0ms, 0ms}, nullptr, {.dialect = Dialect::strict_tgi});
  TestClient client(server);
  // 31,744 prompt tokens and one segment fill the context of 32,768.
  std::string prompt;
  for (int i = 0; i < 31'744; ++i) prompt += " a";
  const auto answer =
      client.post("/generate", R"({"inputs":")" + prompt + R"(","parameters":{"max_new_tokens":5000,"details":true}})");
  EXPECT_EQ(answer.status, 200) << answer.body.substr(0, 200);
  EXPECT_THAT(answer.head, HasSubstr("x-generated-tokens: 1024\r\n"));
  EXPECT_THAT(answer.body, HasSubstr(R"("finish_reason":"length","generated_tokens":1024)"));
}

TEST(Strict, TheMetricsPageStartsEmptyAndIsTgis) {
  TestServer server({}, kFast, nullptr, {.dialect = Dialect::strict_tgi});
  TestClient client(server);
  const auto fresh = client.get("/metrics");
  EXPECT_EQ(fresh.body, "");
  EXPECT_THAT(fresh.head, HasSubstr("content-type: text/plain; charset=utf-8\r\n"));
  EXPECT_EQ(client.post("/generate", R"({"inputs":""})").status, 422);
  EXPECT_EQ(client.post("/generate", R"({"inputs":"a","parameters":{"max_new_tokens":1}})").status, 200);
  const std::string page = client.get("/metrics").body;
  EXPECT_THAT(page, HasSubstr("# TYPE tgi_request_failure counter\ntgi_request_failure{err=\"validation\"} 1\n\n"));
  EXPECT_THAT(page, HasSubstr("tgi_request_duration_bucket{le=\"0.00015000000000000001\"} "));
  EXPECT_THAT(page, HasSubstr("tgi_request_duration_bucket{le=\"145.61096060497135\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("# TYPE tgi_request_skipped_tokens summary\n"));
  EXPECT_THAT(page, Not(HasSubstr("refserver_")));
  EXPECT_THAT(page, Not(HasSubstr("# HELP")));
  EXPECT_EQ(client.get("/debug/state").status, 404);
  EXPECT_EQ(client.post("/v1/generate", "{}").status, 404);
}

TEST(Pool, LongPromptsAreValidatedThereAndShortOnesDoNotWait) {
  HttpOptions options;
  options.inline_validation_bytes = 100;
  TestServer server(options);
  TestClient client(server);
  const std::string prompt(1000, 'a');
  for (const char* const route : {"/generate", "/generate_stream"}) {
    const auto answer = client.post(route, R"({"inputs":")" + prompt + R"(","parameters":{"max_new_tokens":2}})");
    EXPECT_EQ(answer.status, 200);
    EXPECT_THAT(answer.body, HasSubstr(R"("generated_text":" t1 t2")"));
  }
  const auto refused = client.post("/generate", R"({"inputs":")" + prompt + R"(","parameters":{"truncate":99999}})");
  EXPECT_EQ(refused.status, 422);
  EXPECT_THAT(client.post("/generate_stream", R"({"inputs":")" + prompt + R"(","parameters":{"truncate":99999}})").body,
              HasSubstr("\"error_type\":\"validation\""));
  EXPECT_THAT(client.post("/tokenize", R"({"inputs":")" + prompt + R"("})").body, HasSubstr(R"("stop":1000}])"));
  const auto several =
      client.post("/v1/completions", R"({"prompt":[")" + prompt + R"(","b"],"max_tokens":2,"stream":true})");
  EXPECT_EQ(events_of(several.body).size(), 5U);
  EXPECT_TRUE(reaches(server, "tgi_batch_current_size", 0));
}

TEST(Pool, AClientThatLeavesMeanwhileLeavesNothingBehind) {
  HttpOptions options;
  options.inline_validation_bytes = 1;
  options.body_limit_bytes = 64'000'000;
  options.max_concurrent_requests = 1;
  TestServer server(options);
  {
    TestClient client(server);
    client.send(TestClient::request("/generate", R"({"inputs":")" + std::string(8'000'000, 'a') + R"("})"));
    client.finish_sending();
  }
  TestClient other(server);
  const auto give_up = Clock::now() + 60s;
  int status = 429;
  while (status == 429 && Clock::now() < give_up) {
    status = other.post("/generate", R"({"inputs":"aa","parameters":{"max_new_tokens":1}})").status;
  }
  EXPECT_EQ(status, 200);
  EXPECT_TRUE(reaches(server, "tgi_batch_current_size", 0));
}

TEST(Tokenize, GivesByteSpansWithoutAPermit) {
  TestServer server;
  TestClient client(server);
  EXPECT_THAT(client.post("/tokenize", R"({"inputs":"Hi there","parameters":{"max_new_tokens":0}})").body,
              HasSubstr(R"("stop":8}])"));
  EXPECT_EQ(metric(server, "tgi_request_count"), 0);
  const auto chat = client.post("/chat_tokenize", R"({"messages":[{"role":"user","content":"Hi"}]})");
  EXPECT_THAT(chat.body, ::testing::StartsWith(R"({"tokenize_response":[{"id":)"));
  EXPECT_THAT(chat.body, HasSubstr(R"("templated_text":")"));
  EXPECT_EQ(metric(server, "tgi_request_count"), 1);
}

TEST(Health, AStepLongerThanItsLimitIsUnhealthy) {
  HttpOptions options;
  options.stuck_engine_timeout = 20ms;
  WorkQueue work(1);
  TokenQueue tokens;
  Server server(TestServer::prepared(options), ServerParts{test_models(), {}, work, tokens, nullptr});
  std::thread thread([&] { server.run(); });
  EXPECT_EQ(TestClient(server.port()).get("/health").status, 200);
  Work taken;
  work.take(Clock::now(), taken);  // an engine that takes work and never comes back
  while (work.busy_for(Clock::now()) <= options.stuck_engine_timeout) {
  }
  const auto sick = TestClient(server.port()).get("/health");
  EXPECT_EQ(sick.status, 503);
  EXPECT_EQ(sick.body, R"({"error":"unhealthy","error_type":"healthcheck"})");
  EXPECT_THAT(TestClient(server.port()).get("/debug/state").body, HasSubstr(R"("engine_step_running_for_ms":)"));
  server.stop();
  thread.join();
}

TEST(RequestLog, OneLineIsExact) {
  LogFacts facts;
  facts.id = 7;
  facts.client_id = "a\"b";
  facts.model = "qwen2";
  facts.route = "/generate";
  facts.outcome = "ok";
  facts.prompt_tokens = 3;
  facts.generated_tokens = 5;
  facts.total_ms = 12;
  facts.time = std::chrono::system_clock::time_point(std::chrono::microseconds(1'735'689'600'000'042));
  EXPECT_EQ(
      make_log_line(facts),
      R"({"timestamp":"2025-01-01T00:00:00.000042Z","level":"INFO","message":"Success","target":"refserver","id":7,)"
      R"("request_id":"a\"b","route":"/generate","model":"qwen2","prompt_tokens":3,"generated_tokens":5,)"
      R"("total_time_ms":12})"
      "\n");
  facts.outcome = "overloaded";
  facts.client_id.reset();
  EXPECT_THAT(make_log_line(facts), HasSubstr(R"("level":"ERROR","message":"overloaded")"));
  EXPECT_THAT(make_log_line(facts), HasSubstr(R"("request_id":null)"));
}

TEST(RequestIds, AreEchoedOutsideOfTheStrictDialect) {
  const std::string body = R"({"inputs":"a","parameters":{"max_new_tokens":1}})";
  TestServer ours;
  TestClient client(ours);
  client.send(TestClient::request("/generate", body, "x-request-id: abc\r\n"));
  EXPECT_THAT(client.read_answer().head, HasSubstr("x-request-id: abc\r\n"));
  TestServer strict({}, kFast, nullptr, {.dialect = Dialect::strict_tgi});
  TestClient other(strict);
  other.send(TestClient::request("/generate", body, "x-request-id: abc\r\n"));
  EXPECT_THAT(other.read_answer().head, Not(HasSubstr("x-request-id")));
}

}  // namespace
}  // namespace refserver
