// Streams cut differently, as a client reads them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "refserver/http/tests/loopback.hpp"

namespace refserver {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

const std::string kSix = R"({"inputs":"Hi there","parameters":{"max_new_tokens":6}})";

std::size_t count(const std::string& text, std::string_view what) {
  std::size_t n = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

TestClient::Reply ask(TestClient& client, const std::string& how, const std::string& body = kSix,
                      std::string_view route = "/generate_stream") {
  client.send(TestClient::request(route, body, "x-plumbline-chunking: " + how + "\r\nx-plumbline-truth: 1\r\n"));
  return client.read_answer();
}

TEST(Chunked, SeveralTokensPerEvent) {
  TestServer server;
  TestClient client(server);
  const std::string body = ask(client, "tokens=4").body;
  EXPECT_EQ(count(body, "data:"), 2U);
  EXPECT_THAT(body, HasSubstr(R"({"index":4,"token":{"id":4,"text":" t1 t2 t3 t4","logprob":-0.5,"special":false})"));
  EXPECT_THAT(body,
              HasSubstr(R"("text":" t5 t6","logprob":-0.25,"special":false},"generated_text":" t1 t2 t3 t4 t5 t6")"));
  // Every token has its times, whichever event it came in.
  const std::string achieved = body.substr(body.find("\"achieved_ns\":["));
  EXPECT_EQ(count(achieved.substr(0, achieved.find(']')), ","), 5U);
}

TEST(Chunked, SeveralEventsPerWrite) {
  TestServer server({}, {1ms, 20ms});
  TestClient client(server);
  const std::string body = ask(client, "events=3").body;
  EXPECT_EQ(count(body, "data:"), 6U);
  // One write, one time: "achieved_ns":[a,a,a,b,b,b].
  const std::string key = "\"achieved_ns\":[";
  const std::string list = body.substr(body.find(key) + key.size());
  const std::string first = list.substr(0, list.find(','));
  EXPECT_EQ(count(list.substr(0, list.find(']')), first), 3U) << list;
}

TEST(Chunked, PiecesAndCutCharactersArriveWhole) {
  TestServer server;
  TestClient client(server);
  const std::string body =
      R"({"model":"\u4e2d\u6587","messages":[{"role":"user","content":"a"}],"max_tokens":6,"stream":true})";
  const auto cut = ask(client, "pieces=5,cut-characters", body, "/v1/chat/completions");
  EXPECT_EQ(count(cut.body, "\"model\":\"\xE4\xB8\xAD\xE6\x96\x87\""), 6U);
  EXPECT_EQ(count(cut.body, "data:"), 7U);
}

TEST(Chunked, CommentsComeBetweenTokens) {
  TestServer server({}, {1ms, 30ms});
  TestClient client(server);
  const std::string body = ask(client, "comments=5ms").body;
  EXPECT_EQ(count(body, "data:"), 6U);
  EXPECT_GE(count(body, ":\n\n"), 5U);
}

TEST(Chunked, WhatDoesNotFitTheKernelStillArrives) {
  TestServer server({}, {0ms, 0ms});
  TestClient client(server, 4096);
  const auto answer =
      ask(client, "pieces=7,events=5,tokens=3", R"({"inputs":"a","parameters":{"max_new_tokens":9000}})");
  EXPECT_EQ(count(answer.body, "data:"), 3000U);
}

TEST(Chunked, AllStreamsWhereTheServerSaysSoAndTheClientNothing) {
  HttpOptions options;
  options.chunking.emplace().tokens_per_event = 6;
  TestServer server(options);
  TestClient client(server);
  EXPECT_EQ(count(client.post("/generate_stream", kSix).body, "data:"), 1U);
  EXPECT_EQ(count(ask(client, "tokens=1").body, "data:"), 6U);
  EXPECT_THAT(client.post("/generate", kSix).body, HasSubstr(" t1 t2 t3 t4 t5 t6"));
}

TEST(Chunked, WhatCannotBeReadIsRefused) {
  TestServer server;
  TestClient client(server);
  const auto refused = ask(client, "tokens=none");
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(refused.body,
            "{\"error\":\"x-plumbline-chunking: tokens: 'none' is not a whole number from 1 to 1000\","
            "\"error_type\":\"validation\"}");
  TestServer strict({}, {1ms, 1ms}, nullptr, {.dialect = Dialect::strict_tgi});
  TestClient other(strict);
  EXPECT_EQ(count(ask(other, "tokens=none").body, "data:"), 6U);
}

}  // namespace
}  // namespace refserver
