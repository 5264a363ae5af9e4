// What clients, /metrics and /debug/state see of the scheduler.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "refserver/http/tests/loopback.hpp"

namespace refserver {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

const std::string kTwoTokens = R"({"inputs":"Hi there","parameters":{"max_new_tokens":2}})";
/// More than two blocks of 16 tokens.
const std::string kLongPrompt =
    R"({"inputs":"one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen )"
    R"(seventeen eighteen nineteen twenty one two three four five six seven eight nine ten eleven twelve thirteen",)"
    R"("parameters":{"max_new_tokens":2}})";

SchedulerSettings one_at_a_time() {
  SchedulerSettings settings;
  settings.batch = BatchKind::serial;
  return settings;
}

TEST(Scheduling, AQueuedRequestTimesOutWith503) {
  SchedulerSettings settings = one_at_a_time();
  settings.queue_timeout = 20ms;
  TestServer server({}, {30s, 1ms}, nullptr, {}, settings);
  TestClient first(server);
  first.send(TestClient::request("/generate_stream", kTwoTokens));
  EXPECT_TRUE(reaches(server, R"(refserver_requests_running{model="qwen2"})", 1));
  TestClient second(server);
  const auto whole = second.post("/generate", kTwoTokens);
  EXPECT_EQ(whole.status, 503);
  EXPECT_THAT(whole.head, HasSubstr("retry-after: 1\r\n"));
  EXPECT_EQ(whole.body, R"({"error":"Request timed out: it waited for too long","error_type":"queue_timeout"})");
  const auto stream = second.post("/generate_stream", kTwoTokens);
  EXPECT_EQ(stream.status, 200);
  EXPECT_THAT(stream.body, HasSubstr(R"("error_type":"queue_timeout")"));
  EXPECT_EQ(metric(server, R"(refserver_scheduler_timed_out_total{model="qwen2"})"), 2);
  EXPECT_EQ(metric(server, R"(tgi_request_failure{err="overloaded"})"), 2);
}

TEST(Scheduling, OneTooManyInTheQueueIsOverload) {
  SchedulerSettings settings = one_at_a_time();
  settings.max_waiting_requests = 1;
  TestServer server({}, {30s, 1ms}, nullptr, {}, settings);
  TestClient running(server);
  running.send(TestClient::request("/generate_stream", kTwoTokens));
  EXPECT_TRUE(reaches(server, R"(refserver_requests_running{model="qwen2"})", 1));
  TestClient waiting(server);
  waiting.send(TestClient::request("/generate_stream", kTwoTokens));
  EXPECT_TRUE(reaches(server, "tgi_queue_size", 1));
  TestClient refused(server);
  EXPECT_EQ(refused.post("/generate", kTwoTokens).status, 429);
  // A client that leaves the queue leaves it at once.
  waiting.close();
  EXPECT_TRUE(reaches(server, "tgi_queue_size", 0));
  EXPECT_TRUE(reaches(server, R"(refserver_scheduler_cancelled_total{model="qwen2"})", 1));
}

TEST(Scheduling, ARequestWaitsForTheOneBeforeIt) {
  TestServer server({}, {30ms, 1ms}, nullptr, {}, one_at_a_time());
  TestClient first(server);
  TestClient second(server);
  first.send(TestClient::request("/generate", kTwoTokens, "x-plumbline-truth: 1\r\n"));
  EXPECT_TRUE(reaches(server, "tgi_request_count", 1));
  second.send(TestClient::request("/generate", kTwoTokens, "x-plumbline-truth: 1\r\n"));
  const auto number = [](const std::string& head, const std::string& name) {
    return std::stoll(head.substr(head.find("\"" + name + "\":") + name.size() + 3));
  };
  const std::string earlier = first.read_answer().head;
  const std::string later = second.read_answer().head;
  const std::string last_due = earlier.substr(earlier.find(",", earlier.find("\"due_ns\":[")) + 1);
  EXPECT_GE(number(later, "scheduled_ns"), std::stoll(last_due));
  EXPECT_LT(number(earlier, "scheduled_ns"), std::stoll(last_due));
}

TEST(Scheduling, APolicyLooksAtTheClientsStanding) {
  SchedulerSettings settings = one_at_a_time();
  settings.policy = PolicyKind::priority;
  TestServer server({}, {200ms, 1ms}, nullptr, {}, settings);
  std::vector<std::unique_ptr<TestClient>> clients;
  const auto ask = [&](const std::string& priority) {
    clients.push_back(std::make_unique<TestClient>(server));
    clients.back()->send(TestClient::request("/generate", kTwoTokens,
                                             "x-plumbline-truth: 1\r\nx-plumbline-priority: " + priority + "\r\n"));
    EXPECT_TRUE(reaches(server, "tgi_request_count", static_cast<double>(clients.size())));
  };
  ask("0");
  ask("9");
  ask("1");
  const auto scheduled = [](TestClient& client) {
    const std::string head = client.read_answer().head;
    return std::stoll(head.substr(head.find("\"scheduled_ns\":") + 15));
  };
  scheduled(*clients[0]);
  const auto last = scheduled(*clients[1]);
  EXPECT_LT(scheduled(*clients[2]), last);
  EXPECT_EQ(TestClient(server).get("/health").status, 200);
  TestClient wrong(server);
  wrong.send(TestClient::request("/generate", kTwoTokens, "x-plumbline-priority: high\r\n"));
  EXPECT_EQ(wrong.read_answer().status, 422);
}

TEST(Scheduling, ThePrefixCacheIsSeenByTruthMetricsAndState) {
  TestServer server;
  TestClient client(server);
  EXPECT_EQ(client.post("/generate", kLongPrompt).status, 200);
  client.send(TestClient::request("/generate", kLongPrompt, "x-plumbline-truth: 1\r\n"));
  EXPECT_THAT(client.read_answer().head, HasSubstr(R"("cached_tokens":32)"));
  EXPECT_EQ(metric(server, R"(refserver_prefix_cache_hit_tokens_total{model="qwen2"})"), 32);
  EXPECT_EQ(metric(server, R"(refserver_kv_blocks{model="qwen2",state="used"})"), 0);
  EXPECT_GE(metric(server, R"(refserver_kv_blocks{model="qwen2",state="cached"})"), 2);
  EXPECT_GE(metric(server, "tgi_batch_inference_count{method=\"prefill\"}"), 2);
  const std::string state = client.get("/debug/state").body;
  EXPECT_THAT(state, HasSubstr(R"("models":[{"name":"qwen2","running":0,"waiting":0)"));
  EXPECT_THAT(state, HasSubstr(R"("cached_tokens":32)"));
}

TEST(Scheduling, AnswersThatOutgrowTheCacheArePreemptedAndStillWhole) {
  SchedulerSettings settings;
  settings.max_batch_total_tokens = 32'784;  // one of the longest requests and a block
  settings.has_prefix_caching = false;
  TestServer server({}, {1ms, 0ms}, nullptr, {}, settings);
  const std::string body = R"({"inputs":"a","parameters":{"max_new_tokens":20000}})";
  TestClient first(server, 1 << 20);
  TestClient second(server, 1 << 20);
  first.send(TestClient::request("/generate", body));
  second.send(TestClient::request("/generate", body));
  for (TestClient* const client : {&first, &second}) {
    const auto answer = client->read_answer();
    EXPECT_EQ(answer.status, 200);
    EXPECT_THAT(answer.head, HasSubstr("x-generated-tokens: 20000\r\n"));
    EXPECT_THAT(answer.body, HasSubstr(" t19999 t20000\""));
  }
  EXPECT_GE(metric(server, R"(refserver_preemptions_total{model="qwen2"})"), 1);
}

TEST(Scheduling, AModelsOwnPortTellsOfThatModelAlone) {
  HttpOptions options;
  options.model_ports = {{1, 0}};
  TestServer server(options);
  TestClient own(server.server.model_ports().at(0));
  EXPECT_EQ(own.post("/generate", kTwoTokens).status, 200);
  EXPECT_EQ(TestClient(server).post("/generate", kTwoTokens).status, 200);
  const std::string page = TestClient(server.server.model_ports().at(0)).get("/metrics").body;
  EXPECT_THAT(page, HasSubstr("refserver_generated_tokens_total{model=\"llama3\"} 2\n"));
  EXPECT_THAT(page, ::testing::Not(HasSubstr("model=\"qwen2\"")));
  EXPECT_THAT(page, HasSubstr("tgi_batch_inference_count{method=\"prefill\"} 1\n"));
}

}  // namespace
}  // namespace refserver
