// The HTTP side over loopback: framing, keep-alive, split reads, errors of the body layer, overload.
#include "refserver/http/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "refserver/http/tests/loopback.hpp"

namespace refserver {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

const std::string kTwoTokens = R"({"inputs":"Hi there","parameters":{"max_new_tokens":2}})";

TEST(Server, AnswersEveryRoute) {
  TestServer server;
  TestClient client(server);
  EXPECT_EQ(client.post("/generate", kTwoTokens).body, R"({"generated_text":" t1 t2"})");
  EXPECT_EQ(client.post("/", kTwoTokens).body, R"([{"generated_text":"Hi there t1 t2"}])");
  EXPECT_THAT(client.post("/generate_stream", kTwoTokens).body, HasSubstr(R"("generated_text":" t1 t2")"));
  EXPECT_THAT(
      client.post("/v1/chat/completions", R"({"messages":[{"role":"user","content":"Hi"}],"max_tokens":2})").body,
      HasSubstr(R"("content":" t1 t2")"));
  EXPECT_THAT(client.post("/v1/completions", R"({"prompt":"Hi","max_tokens":2,"stream":true})").body,
              ::testing::EndsWith("data: [DONE]\n\n"));
  EXPECT_EQ(client.post("/v1/generate", R"({"model_id":"llama3","inputs":"Hi","parameters":{"max_tokens":1}})").body,
            R"({"generated_text":" t1","model":"Meta-Llama-3.1-8B-Instruct-GPTQ-INT4","tokens":1})");
  EXPECT_EQ(client.get("/health").status, 200);
  EXPECT_THAT(client.get("/info?x=1").body, HasSubstr(R"("model_id":"Qwen2-7B-Instruct-GPTQ-Int4")"));
  EXPECT_THAT(client.get("/v1/models").body, HasSubstr("Meta-Llama-3.1"));
  EXPECT_THAT(client.get("/metrics").body, HasSubstr("tgi_request_success 6\n"));
}

TEST(Server, HeadersAreThoseOfTgi) {
  TestServer server;
  TestClient client(server);
  const std::string whole = client.post("/generate", kTwoTokens).head;
  for (const char* const part :
       {"HTTP/1.1 200 OK\r\n", "content-type: application/json\r\n", "x-compute-type: cpu+simulated\r\n",
        "x-compute-time: 0.", "x-compute-characters: 8\r\n", "x-total-time: ", "x-validation-time: ", "x-queue-time: ",
        "x-inference-time: ", "x-time-per-token: ", "x-prompt-tokens: 2\r\n", "x-generated-tokens: 2\r\n",
        "access-control-allow-origin: *\r\n",
        "vary: origin, access-control-request-method, access-control-request-headers\r\n", "date: "}) {
    EXPECT_THAT(whole, HasSubstr(part));
  }
  const std::string stream = client.post("/generate_stream", kTwoTokens).head;
  for (const char* const part :
       {"content-type: text/event-stream\r\n", "cache-control: no-cache\r\n", "x-compute-characters: 8\r\n",
        "x-accel-buffering: no\r\n", "transfer-encoding: chunked\r\n"}) {
    EXPECT_THAT(stream, HasSubstr(part));
  }
  EXPECT_THAT(stream, Not(HasSubstr("x-total-time")));
  EXPECT_THAT(client.post("/v1/completions", R"({"prompt":"Hi","max_tokens":1})").head,
              Not(HasSubstr("x-compute-time")));
}

TEST(Server, GenericHttpBehaviour) {
  TestServer server;
  TestClient client(server);
  EXPECT_EQ(client.get("/nothing").status, 404);
  const auto wrong = client.get("/generate");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_THAT(wrong.head, HasSubstr("allow: POST\r\n"));
  EXPECT_THAT(client.post("/health", "{}").head, HasSubstr("allow: GET,HEAD\r\n"));
  client.send("DELETE / HTTP/1.1\r\nhost: test\r\n\r\n");
  EXPECT_THAT(client.read_answer().head, HasSubstr("allow: POST,GET,HEAD\r\n"));
  client.send("OPTIONS /any HTTP/1.1\r\nhost: test\r\norigin: http://x\r\n\r\n");
  EXPECT_THAT(client.read_answer().head, HasSubstr("access-control-allow-methods: GET,POST\r\n"));
  client.send("HEAD /info HTTP/1.1\r\nhost: test\r\n\r\nGET /health HTTP/1.1\r\nhost: test\r\n\r\n");
  EXPECT_THAT(client.read_until("\r\n\r\n"), HasSubstr("content-length: 3"));
  EXPECT_EQ(client.read_answer().status, 200);
}

TEST(Server, BodyLayerErrorsArePlainText) {
  TestServer server;
  TestClient client(server);
  const auto malformed = client.post("/generate", R"({"inputs":"a",})");
  EXPECT_EQ(malformed.status, 400);
  EXPECT_THAT(malformed.head, HasSubstr("content-type: text/plain; charset=utf-8\r\n"));
  EXPECT_EQ(malformed.body, "Failed to parse the request body as JSON: trailing comma at line 1 column 15");
  EXPECT_EQ(client.post("/generate", "{}").status, 422);
  EXPECT_EQ(client.post("/generate", "").status, 400);
  const auto invalid = client.post("/generate", R"({"inputs":""})");
  EXPECT_EQ(invalid.status, 422);
  EXPECT_EQ(invalid.body, R"({"error":"Input validation error: `inputs` cannot be empty","error_type":"validation"})");
  client.send("POST /generate HTTP/1.1\r\nhost: test\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\n{}");
  const auto unsupported = client.read_answer();
  EXPECT_EQ(unsupported.status, 415);
  EXPECT_EQ(unsupported.body, "Expected request with `Content-Type: application/json`");
}

TEST(Server, JsonContentTypesOfEveryKindAreTaken) {
  TestServer server;
  for (const char* const type : {"application/json; charset=utf-8", "Application/JSON", "application/ld+json"}) {
    TestClient client(server);
    client.send("POST /generate HTTP/1.1\r\nhost: test\r\ncontent-type: " + std::string(type) +
                "\r\ncontent-length: " + std::to_string(kTwoTokens.size()) + "\r\n\r\n" + kTwoTokens);
    EXPECT_EQ(client.read_answer().status, 200) << type;
  }
}

TEST(Server, StreamErrorsComeInsideA200) {
  TestServer server;
  TestClient client(server);
  const auto native = client.post("/generate_stream", R"({"inputs":""})");
  EXPECT_EQ(native.status, 200);
  EXPECT_EQ(native.body,
            "data: {\"error\":\"Input validation error: `inputs` cannot be empty\",\"error_type\":\"validation\"}\n\n");
  const auto openai = client.post("/v1/completions", R"({"prompt":"","stream":true})");
  EXPECT_EQ(openai.status, 200);
  EXPECT_EQ(openai.body,
            "data: {\"error\":{\"message\":\"Input validation error: `inputs` cannot be empty\","
            "\"http_status_code\":422}}\n\ndata: [DONE]\n\n");
  EXPECT_EQ(client.post("/v1/generate", R"({"model_id":"x","inputs":"a","stream":true})").status, 404);
}

TEST(Server, OverloadIs429AndAnEventOnStreams) {
  HttpOptions options;
  options.max_concurrent_requests = 1;
  TestServer server(options, {30s, 1ms});
  TestClient busy(server);
  busy.send(TestClient::request("/generate_stream", kTwoTokens));
  EXPECT_THAT(busy.read_until("\r\n\r\n"), HasSubstr("200 OK"));
  TestClient client(server);
  const auto refused = client.post("/generate", kTwoTokens);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.body, R"({"error":"Model is overloaded","error_type":"overloaded"})");
  const auto stream = client.post("/generate_stream", kTwoTokens);
  EXPECT_EQ(stream.status, 200);
  EXPECT_EQ(stream.body, "data: {\"error\":\"Model is overloaded\",\"error_type\":\"overloaded\"}\n\n");
  EXPECT_EQ(metric(server, "tgi_request_failure{err=\"overloaded\"}"), 2);
  // The client that holds the only permit leaves: its place is free again.
  busy.close();
  EXPECT_TRUE(reaches(server, "tgi_request_failure{err=\"dropped\"}", 1));
  EXPECT_TRUE(reaches(server, "tgi_batch_current_size", 0));
  client.send(TestClient::request("/generate_stream", kTwoTokens));
  EXPECT_THAT(client.read_until("\r\n\r\n"), HasSubstr("200 OK"));
  EXPECT_TRUE(reaches(server, "tgi_batch_current_size", 1));
}

TEST(Server, ReadsSplitAnywhere) {
  TestServer server;
  TestClient client(server);
  for (const char byte : TestClient::request("/generate", kTwoTokens)) ASSERT_TRUE(client.send({&byte, 1}));
  EXPECT_EQ(client.read_answer().body, R"({"generated_text":" t1 t2"})");
}

TEST(Server, PipelinedRequestsAreAnsweredInOrder) {
  TestServer server;
  TestClient client(server);
  std::string all;
  for (int n = 1; n <= 5; ++n) {
    const std::string body = R"({"inputs":"a","parameters":{"max_new_tokens":)" + std::to_string(n) + "}}";
    all += TestClient::request(n % 2 == 0 ? "/generate" : "/generate_stream", body);
  }
  client.send(all);
  for (int n = 1; n <= 5; ++n) {
    EXPECT_THAT(client.read_answer().body, HasSubstr(" t" + std::to_string(n) + "\"")) << n;
  }
}

TEST(Server, ChunkedBodiesAndContinueAreUnderstood) {
  TestServer server;
  TestClient client(server);
  client.send(
      "POST /generate HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
      "5\r\n{\"inp\r\n"
      "b\r\nuts\":\"abc\"}\r\n0\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 200);
  client.send(
      "POST /generate HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n"
      "content-length: " +
      std::to_string(kTwoTokens.size()) + "\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send(kTwoTokens);
  EXPECT_EQ(client.read_answer().status, 200);
}

TEST(Server, Http10EndsABodyWithTheConnection) {
  TestServer server;
  TestClient client(server);
  client.send("POST /generate_stream HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: " +
              std::to_string(kTwoTokens.size()) + "\r\n\r\n" + kTwoTokens);
  const std::string all = client.read_to_end();
  EXPECT_THAT(all, HasSubstr("connection: close\r\n"));
  EXPECT_THAT(all, Not(HasSubstr("chunked")));
  EXPECT_THAT(all, HasSubstr("\r\n\r\ndata: {\"index\":1,"));
  TestClient keeper(server);
  keeper.send("GET /health HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
  EXPECT_THAT(keeper.read_answer().head, HasSubstr("connection: keep-alive\r\n"));
  EXPECT_EQ(keeper.get("/health").status, 200);
}

TEST(Server, ConnectionCloseIsHonoured) {
  TestServer server;
  TestClient client(server);
  client.send(TestClient::request("/generate", kTwoTokens, "connection: close\r\n"));
  EXPECT_THAT(client.read_answer().head, HasSubstr("connection: close\r\n"));
  EXPECT_TRUE(client.is_closed_by_server());
}

}  // namespace
}  // namespace refserver
