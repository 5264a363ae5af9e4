// Every fault as a client meets it on a raw socket, and what the truth log says of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <vector>

#include "refserver/http/tests/loopback.hpp"

namespace refserver {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

const std::string kBody = R"({"inputs":"Hi there","parameters":{"max_new_tokens":6}})";

FaultPlan plan_of(FaultRule rule) {
  FaultPlan plan;
  plan.rules.push_back(std::move(rule));
  return plan;
}

FaultRule rule_of(FaultKind kind, std::uint32_t token = 3) {
  FaultRule rule;
  rule.kind = kind;
  rule.token = token;
  rule.time = 1ms;
  return rule;
}

/// A server that does one thing wrong, its truth log, and a client.
class Faulty {
 public:
  explicit Faulty(FaultRule rule, HttpOptions options = {})
      : path_(::testing::TempDir() + "refserver_faults_" + std::to_string(getpid()) + ".jsonl"),
        log_(path_),
        server(std::move(options), {1ms, 1ms}, &log_, {}, {}, plan_of(std::move(rule))),
        client(server) {}
  ~Faulty() { std::remove(path_.c_str()); }

  void ask(std::string_view route) { client.send(TestClient::request(route, kBody)); }
  /// The first line of the truth log; ends the server.
  std::string truth() {
    client.close();
    server.stop();
    EXPECT_TRUE(log_.finish());
    std::ifstream file(path_);
    std::string line;
    std::getline(file, line);
    return line;
  }

 private:
  std::string path_;
  TruthLog log_;

 public:
  TestServer server;
  TestClient client;
};

/// How many tokens' events a stream's bytes hold.
std::size_t events_in(const std::string& bytes) {
  std::size_t events = 0;
  for (std::size_t at = bytes.find("data:"); at != std::string::npos; at = bytes.find("data:", at + 1)) ++events;
  return events;
}

/// The numbers of a list of a truth line.
std::vector<std::int64_t> times_in(const std::string& truth, const std::string& name) {
  const std::string list = "\"" + name + "\":[";
  const std::size_t at = truth.find(list);
  if (at == std::string::npos) return {};
  std::istringstream text(truth.substr(at + list.size()));
  std::vector<std::int64_t> times;
  for (std::int64_t time = 0; text >> time; text.get()) times.push_back(time);
  return times;
}

TEST(Faults, StatusesTakeThePlaceOfAnyAnswer) {
  FaultRule rule = rule_of(FaultKind::status_429);
  rule.retry_after_s = 7;
  for (const char* const route : {"/generate", "/generate_stream"}) {
    Faulty faulty(rule);
    const auto answer = faulty.client.post(route, kBody);
    EXPECT_EQ(answer.status, 429);
    EXPECT_THAT(answer.head, HasSubstr("retry-after: 7\r\n"));
    EXPECT_EQ(answer.body, R"({"error":"Model is overloaded","error_type":"overloaded"})");
    EXPECT_THAT(faulty.truth(), EndsWith(R"("fault":"status_429","fault_token":null,"outcome":"fault"})"));
  }
  Faulty faulty(rule_of(FaultKind::status_503));
  EXPECT_EQ(faulty.client.post("/v1/completions", R"({"prompt":"a"})").status, 503);
  EXPECT_THAT(faulty.truth(), HasSubstr(R"("fault":"status_503")"));
}

TEST(Faults, ResetBeforeTheFirstByte) {
  for (const char* const route : {"/generate", "/generate_stream"}) {
    Faulty faulty(rule_of(FaultKind::reset_before_answer));
    faulty.ask(route);
    EXPECT_EQ(faulty.client.read_to_end(), "");
    EXPECT_TRUE(faulty.client.was_reset());
    EXPECT_THAT(faulty.truth(), EndsWith(R"("fault":"reset_before_answer","fault_token":null,"outcome":"fault"})"));
  }
}

TEST(Faults, ResetAfterATokenSendsThatTokenAndNothingElse) {
  Faulty faulty(rule_of(FaultKind::reset_after_token));
  faulty.ask("/generate_stream");
  const std::string got = faulty.client.read_to_end();
  EXPECT_TRUE(faulty.client.was_reset());
  // The last bytes before a reset may be lost on their way; none beyond it is sent.
  EXPECT_LE(events_in(got), 3U);
  EXPECT_THAT(got, Not(HasSubstr("generated_text\":\"")));
  EXPECT_TRUE(reaches(faulty.server, "tgi_batch_current_size", 0));
  EXPECT_THAT(faulty.truth(), EndsWith(R"("fault":"reset_after_token","fault_token":3,"outcome":"fault"})"));
}

TEST(Faults, ResetInsideAnEventCutsIt) {
  Faulty faulty(rule_of(FaultKind::reset_inside_event, 2));
  faulty.ask("/generate_stream");
  const std::string got = faulty.client.read_to_end();
  EXPECT_TRUE(faulty.client.was_reset());
  EXPECT_THAT(got, Not(HasSubstr(R"("text":" t2","logprob":-0.125,"special":false},"generated_text")")));
  EXPECT_THAT(faulty.truth(), EndsWith(R"("fault":"reset_inside_event","fault_token":2,"outcome":"fault"})"));
}

TEST(Faults, HalfCloseEndsTheBytesButNotTheBody) {
  Faulty faulty(rule_of(FaultKind::half_close));
  faulty.ask("/generate_stream");
  const std::string got = faulty.client.read_to_end();
  EXPECT_FALSE(faulty.client.was_reset());
  EXPECT_EQ(events_in(got), 3U);
  EXPECT_THAT(got, EndsWith("\n\n\r\n"));  // a whole chunk, and no last one
  EXPECT_TRUE(faulty.client.send("x"));    // the other direction is open
  EXPECT_TRUE(reaches(faulty.server, "tgi_batch_current_size", 0));
  EXPECT_THAT(faulty.truth(), EndsWith(R"("fault":"half_close","fault_token":3,"outcome":"fault"})"));
}

TEST(Faults, AHalfClosedClientThatStaysIsLeftAfterTheWriteTimeout) {
  HttpOptions options;
  options.write_timeout = 20ms;
  Faulty faulty(rule_of(FaultKind::half_close), options);
  faulty.ask("/generate_stream");
  EXPECT_TRUE(faulty.client.is_closed_by_server());
  EXPECT_TRUE(reaches(faulty.server, "refserver_connections", 1));  // the one that asks
}

TEST(Faults, AStallHoldsWhatComesAfterItsToken) {
  FaultRule rule = rule_of(FaultKind::stall, 2);
  rule.time = 200ms;
  Faulty faulty(rule);
  faulty.ask("/generate_stream");
  EXPECT_EQ(events_in(faulty.client.read_until("0\r\n\r\n")), 6U);
  const std::string truth = faulty.truth();
  EXPECT_THAT(truth, EndsWith(R"("fault":"stall","fault_token":2,"outcome":"ok"})"));
  const std::vector<std::int64_t> written = times_in(truth, "achieved_ns");
  ASSERT_EQ(written.size(), 6U);
  EXPECT_GE(written[2] - written[1], 200'000'000);
}

TEST(Faults, AStallBeforeTheFirstByteHoldsWholeAnswersToo) {
  FaultRule rule = rule_of(FaultKind::stall, 0);
  rule.time = 200ms;
  for (const char* const route : {"/generate", "/generate_stream"}) {
    Faulty faulty(rule);
    const TimePoint asked = Clock::now();
    const auto answer = faulty.client.post(route, kBody);
    EXPECT_GE(Clock::now() - asked, 200ms);
    EXPECT_EQ(answer.status, 200);
    EXPECT_THAT(answer.body, HasSubstr(R"("generated_text":" t1 t2 t3 t4 t5 t6")"));
    EXPECT_THAT(faulty.truth(), HasSubstr(R"("fault":"stall")"));
  }
}

TEST(Faults, ASlowHeadComesByteByByteAndTheRestAtOnce) {
  for (const char* const route : {"/generate", "/generate_stream"}) {
    Faulty faulty(rule_of(FaultKind::slow_head));
    const TimePoint asked = Clock::now();
    faulty.ask(route);
    const std::string head = faulty.client.read_until("\r\n\r\n");
    EXPECT_GE(Clock::now() - asked, 1ms * static_cast<int>(head.size() - 1));
    EXPECT_THAT(head, HasSubstr("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(faulty.client.read_until("t5 t6\""), HasSubstr(" t1 t2 t3 t4 t5 t6"));
    EXPECT_THAT(faulty.truth(), HasSubstr(R"("fault":"slow_head")"));
  }
}

TEST(Faults, OneEventIsNoJson) {
  Faulty faulty(rule_of(FaultKind::malformed_event));
  const std::string body = faulty.client.post("/generate_stream", kBody).body;
  EXPECT_EQ(events_in(body), 6U);
  EXPECT_THAT(body,
              HasSubstr(R"("text":" t3","logprob":-0.125,"special":false},"generated_text":null,"details":null!)"));
  EXPECT_THAT(body,
              HasSubstr(R"("text":" t4","logprob":-0.125,"special":false},"generated_text":null,"details":null})"));
  EXPECT_THAT(faulty.truth(), EndsWith(R"("fault":"malformed_event","fault_token":3,"outcome":"ok"})"));
}

TEST(Faults, ATokenIsMissingOrDoubled) {
  {
    Faulty faulty(rule_of(FaultKind::missing_token));
    const std::string body = faulty.client.post("/generate_stream", kBody).body;
    EXPECT_EQ(events_in(body), 5U);
    EXPECT_THAT(body, Not(HasSubstr(R"("text":" t3")")));
    EXPECT_THAT(faulty.truth(), EndsWith(R"("fault":"missing_token","fault_token":3,"outcome":"ok"})"));
  }
  Faulty faulty(rule_of(FaultKind::doubled_token));
  const std::string body = faulty.client.post("/generate_stream", kBody).body;
  EXPECT_EQ(events_in(body), 7U);
  EXPECT_NE(body.find(R"("text":" t3")"), body.rfind(R"("text":" t3")"));
  EXPECT_THAT(faulty.truth(), EndsWith(R"("fault":"doubled_token","fault_token":3,"outcome":"ok"})"));
}

TEST(Faults, AContentLengthIsWrongAndTheConnectionEnds) {
  const std::string expected = R"({"generated_text":" t1 t2 t3 t4 t5 t6"})";
  FaultRule rule = rule_of(FaultKind::wrong_content_length);
  for (const int error : {5, -5}) {
    rule.length_error = error;
    Faulty faulty(rule);
    faulty.ask("/generate");
    const std::string got = faulty.client.read_to_end();
    EXPECT_THAT(got, HasSubstr("content-length: " + std::to_string(static_cast<int>(expected.size()) + error)));
    EXPECT_THAT(got, HasSubstr("connection: close\r\n"));
    EXPECT_THAT(got, EndsWith(expected));
    EXPECT_THAT(faulty.truth(), HasSubstr(R"("fault":"wrong_content_length","fault_token":null,"outcome":"ok")"));
  }
}

TEST(Faults, ARuleThatNeverCameToItIsNotInTheLog) {
  Faulty faulty(rule_of(FaultKind::reset_after_token, 50));
  EXPECT_EQ(faulty.client.post("/generate_stream", kBody).status, 200);
  EXPECT_THAT(faulty.truth(), EndsWith(R"("fault":null,"fault_token":null,"outcome":"ok"})"));
}

TEST(Faults, HealthFlaps) {
  FaultPlan plan;
  plan.health = HealthFlap{50ms, 50ms};
  TestServer server({}, {1ms, 1ms}, nullptr, {}, {}, plan);
  TestClient client(server);
  bool was_up = false;
  bool was_down = false;
  const TimePoint give_up = Clock::now() + 60s;
  while (!(was_up && was_down) && Clock::now() < give_up) {
    const int status = client.get("/health").status;
    was_up = was_up || status == 200;
    was_down = was_down || status == 503;
  }
  EXPECT_TRUE(was_up && was_down);
  EXPECT_EQ(client.post("/generate", kBody).status, 200);
}

TEST(TruthOnRequest, IsTheLastCommentOfAStream) {
  TestServer server;
  TestClient client(server);
  client.send(TestClient::request("/generate_stream", kBody, "x-plumbline-truth: 1\r\nx-request-id: me\r\n"));
  const auto answer = client.read_answer();
  const std::size_t at = answer.body.find("\n\n: truth {");
  ASSERT_NE(at, std::string::npos) << answer.body;
  const std::string truth = answer.body.substr(at + 10);
  EXPECT_THAT(truth, EndsWith("\"outcome\":\"ok\"}\n\n"));
  EXPECT_EQ(truth.find("\n\n"), truth.size() - 2);
  EXPECT_THAT(truth, HasSubstr(R"("client_id":"me")"));
  EXPECT_THAT(truth, HasSubstr(R"("steps":[)"));
  const auto entries = [&](const std::string& name) {
    const std::size_t from = truth.find("\"" + name + "\":[");
    return 1 + std::count(truth.begin() + static_cast<std::ptrdiff_t>(from),
                          truth.begin() + static_cast<std::ptrdiff_t>(truth.find(']', from)), ',');
  };
  EXPECT_EQ(entries("due_ns"), 6);
  EXPECT_EQ(entries("achieved_ns"), 6);
  EXPECT_EQ(entries("steps"), 6);
  // The connection goes on, and who does not ask is not told.
  EXPECT_THAT(client.post("/generate_stream", kBody).body, Not(HasSubstr("truth")));
}

TEST(TruthOnRequest, ComesAfterDoneAndOncePerSequence) {
  TestServer server;
  TestClient client(server);
  client.send(TestClient::request("/v1/completions", R"({"prompt":["a","b"],"max_tokens":2,"stream":true})",
                                  "x-plumbline-truth: true\r\n"));
  const std::string body = client.read_answer().body;
  const std::size_t done = body.find("data: [DONE]\n\n: truth {");
  ASSERT_NE(done, std::string::npos);
  EXPECT_NE(body.find(": truth {", done + 20), std::string::npos);
}

TEST(TruthOnRequest, IsAHeaderOfWholeAnswersAndStaysShort) {
  TestServer server;
  TestClient client(server);
  client.send(TestClient::request("/generate", kBody, "x-plumbline-truth: 1\r\n"));
  const std::string head = client.read_answer().head;
  EXPECT_THAT(head, HasSubstr("x-plumbline-truth: {\"id\":1,\"model\":\"qwen2\""));
  EXPECT_THAT(head, HasSubstr("\"outcome\":\"ok\"}\r\n"));
  client.send(TestClient::request("/generate", R"({"inputs":"a","parameters":{"max_new_tokens":2000}})",
                                  "x-plumbline-truth: 1\r\n"));
  const std::string longer = client.read_answer().head;
  EXPECT_LT(longer.size(), 8192U);
  const std::string steps = longer.substr(longer.find("\"steps\":["));
  EXPECT_EQ(std::count(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(steps.find(']')), ','), 1);
}

TEST(TruthOnRequest, IsUnknownToTheStrictDialect) {
  TestServer strict({}, {1ms, 1ms}, nullptr, {.dialect = Dialect::strict_tgi});
  TestClient client(strict);
  client.send(TestClient::request("/generate_stream", kBody, "x-plumbline-truth: 1\r\n"));
  EXPECT_THAT(client.read_answer().body, Not(HasSubstr("truth")));
}

}  // namespace
}  // namespace refserver
