// Every limit of the HTTP side exceeded, clients that leave or do not read, and both steps of stopping.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <vector>

#include "refserver/http/tests/loopback.hpp"

namespace refserver {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

const std::string kTwoTokens = R"({"inputs":"Hi there","parameters":{"max_new_tokens":2}})";

std::string long_answer(int tokens) {
  return R"({"inputs":"a","parameters":{"max_new_tokens":)" + std::to_string(tokens) + "}}";
}

TEST(Limits, BodyTooLargeByLengthOrByChunks) {
  HttpOptions options;
  options.body_limit_bytes = 1000;
  TestServer server(options);
  TestClient by_length(server);
  const std::string body = R"({"inputs":")" + std::string(2000, 'a') + "\"}";
  const auto refused = by_length.post("/generate", body);
  EXPECT_EQ(refused.status, 413);
  EXPECT_EQ(refused.body, "Failed to buffer the request body: length limit exceeded");
  TestClient by_chunks(server);
  by_chunks.send(
      "POST /generate HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n"
      "transfer-encoding: chunked\r\n\r\n7d0\r\n" +
      std::string(2000, ' ') + "\r\n0\r\n\r\n");
  EXPECT_EQ(by_chunks.read_answer().status, 413);
  TestClient exactly(server);
  EXPECT_EQ(exactly.post("/generate", kTwoTokens + std::string(1000 - kTwoTokens.size(), ' ')).status, 200);
}

TEST(Limits, HeadTooLargeAndNotHttp) {
  HttpOptions options;
  options.header_limit_bytes = 1024;
  TestServer server(options);
  TestClient large(server);
  large.send("GET /health HTTP/1.1\r\nx: " + std::string(4000, 'x') + "\r\n\r\n");
  EXPECT_EQ(large.read_answer().status, 431);
  TestClient garbage(server);
  garbage.send("\x16\x03\x01 this is not http\r\n\r\n");
  EXPECT_EQ(garbage.read_answer().status, 400);
  EXPECT_TRUE(garbage.is_closed_by_server());
  EXPECT_EQ(TestClient(server).get("/health").status, 200);
}

TEST(Limits, IdleAndHalfSentRequestsAreClosed) {
  HttpOptions options;
  options.idle_timeout = 30ms;
  options.read_timeout = 30ms;
  TestServer server(options);
  TestClient idle(server);
  EXPECT_TRUE(idle.is_closed_by_server());
  TestClient half_head(server);
  half_head.send("POST /generate HTTP/1.1\r\nho");
  EXPECT_TRUE(half_head.is_closed_by_server());
  TestClient half_body(server);
  half_body.send(
      "POST /generate HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{");
  EXPECT_TRUE(half_body.is_closed_by_server());
  // A busy machine may be too slow for a connection of 30 ms, but not again and again.
  int status = 0;
  for (int attempt = 0; status != 200 && attempt < 100; ++attempt)
    status = TestClient(server).post("/generate", kTwoTokens).status;
  EXPECT_EQ(status, 200);
}

TEST(Limits, ConnectionsBeyondTheLimitAreClosed) {
  HttpOptions options;
  options.max_connections = 1;
  TestServer server(options);
  TestClient first(server);
  EXPECT_EQ(first.get("/health").status, 200);
  TestClient second(server);
  EXPECT_TRUE(second.is_closed_by_server());
  EXPECT_EQ(first.get("/health").status, 200);
}

TEST(Limits, ASlowReaderIsCutByItsBacklog) {
  HttpOptions options;
  options.stream_backlog_bytes = 64 * 1024;
  TestServer server(options, {0ms, 0ms});
  TestClient slow(server, 4096);
  slow.send(TestClient::request("/generate_stream", long_answer(32'000)));
  EXPECT_TRUE(reaches(server, "tgi_request_failure{err=\"dropped\"}", 1));
  EXPECT_TRUE(reaches(server, "tgi_batch_current_size", 0));
  const std::string got = slow.read_to_end();
  EXPECT_EQ(got.find("\"generated_text\":\""), std::string::npos);
}

TEST(Limits, ASlowReaderIsCutByTime) {
  HttpOptions options;
  options.stream_backlog_bytes = std::size_t{1} << 30U;
  options.write_timeout = 50ms;
  TestServer server(options, {0ms, 0ms});
  TestClient slow(server, 4096);
  slow.send(TestClient::request("/generate_stream", long_answer(32'000)));
  EXPECT_TRUE(reaches(server, "tgi_request_failure{err=\"dropped\"}", 1));
}

TEST(Limits, AClientThatSendsNoMoreIsLetGoAtWhateverInstantItStops) {
  TestServer server({}, {0ms, 0ms});
  for (int i = 0; i < 1000; ++i) {
    TestClient client(server);
    client.send(TestClient::request("/generate_stream", long_answer(100)) + "0");
    client.finish_sending();
    ASSERT_TRUE(client.is_closed_by_server()) << "after " << i;
  }
}

TEST(Limits, AReaderThatKeepsUpGetsEveryTokenOfABurst) {
  HttpOptions options;
  options.stream_backlog_bytes = std::size_t{64} << 20U;
  TestServer server(options, {0ms, 0ms});
  TestClient client(server, 65536);
  const std::string body = client.post("/generate_stream", long_answer(20'000)).body;
  std::size_t events = 0;
  for (std::size_t at = body.find("data: "); at != std::string::npos; at = body.find("data: ", at + 1)) ++events;
  EXPECT_EQ(events, 20'000U);
}

TEST(Limits, SilentStreamsGetCommentsAndGoOn) {
  HttpOptions options;
  options.keep_alive_interval = 20ms;
  TestServer server(options, {200ms, 1ms});
  TestClient client(server);
  const std::string body = client.post("/generate_stream", kTwoTokens).body;
  EXPECT_TRUE(body.starts_with(":\n\n"));
  EXPECT_THAT(body, HasSubstr("\n\ndata: {\"index\":1,"));
}

TEST(Limits, AClientThatLeavesAWholeAnswerIsDroppedToo) {
  TestServer server({}, {30s, 1ms});
  TestClient client(server);
  client.send(TestClient::request("/generate", kTwoTokens));
  EXPECT_TRUE(reaches(server, "tgi_batch_current_size", 1));
  client.close();
  EXPECT_TRUE(reaches(server, "tgi_request_failure{err=\"dropped\"}", 1));
  EXPECT_TRUE(reaches(server, "tgi_batch_current_size", 0));
}

TEST(Stop, RequestsUnderWayFinishAndIdleConnectionsClose) {
  TestServer server({}, {200ms, 1ms});
  TestClient idle(server);
  EXPECT_EQ(idle.get("/health").status, 200);
  TestClient streaming(server);
  streaming.send(TestClient::request("/generate_stream", kTwoTokens));
  const std::string head = streaming.read_until("\r\n\r\n");
  server.stop();
  EXPECT_TRUE(idle.is_closed_by_server());
  const std::string rest = streaming.read_to_end();
  EXPECT_THAT(rest, HasSubstr("\"generated_text\":\" t1 t2\""));
  EXPECT_TRUE(rest.ends_with("0\r\n\r\n"));
}

TEST(Stop, AfterTheGracefulTimeoutEverythingIsCut) {
  HttpOptions options;
  options.graceful_termination_timeout = 50ms;
  TestServer server(options, {30s, 1ms});
  TestClient streaming(server);
  streaming.send(TestClient::request("/generate_stream", kTwoTokens));
  EXPECT_THAT(streaming.read_until("\r\n\r\n"), HasSubstr("200 OK"));
  server.stop();
  EXPECT_EQ(streaming.read_to_end(), "");
}

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

TEST(TruthLog, TellsWhatBecameOfEachRequest) {
  const std::string path = ::testing::TempDir() + "refserver_truth_" + std::to_string(getpid()) + ".jsonl";
  {
    TruthLog log(path);
    TestServer server({}, {1ms, 1ms}, &log);
    TestClient client(server);
    client.send(TestClient::request("/generate_stream", kTwoTokens, "x-request-id: \"a\xff\"\r\n"));
    EXPECT_EQ(client.read_answer().status, 200);
    EXPECT_EQ(client.post("/v1/completions", R"({"prompt":"Hi","max_tokens":3,"model":"llama3"})").status, 200);
    EXPECT_EQ(client.post("/generate", R"({"inputs":""})").status, 422);
    server.stop();
    EXPECT_TRUE(log.finish());
  }
  const std::vector<std::string> lines = lines_of(path);
  std::remove(path.c_str());
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_TRUE(
      lines[0].starts_with(R"({"id":1,"model":"qwen2","route":"/generate_stream","client_id":"\"a?\"","recv_ns":)"))
      << lines[0];
  EXPECT_TRUE(lines[0].ends_with(R"(],"fault":null,"fault_token":null,"outcome":"ok"})"));
  EXPECT_THAT(lines[1], HasSubstr(R"("model":"llama3","route":"/v1/completions","client_id":null)"));
  EXPECT_THAT(lines[2], HasSubstr(R"("model":null)"));
  EXPECT_THAT(
      lines[2],
      HasSubstr(
          R"("scheduled_ns":null,"cached_tokens":0,"preemptions":0,"due_ns":[],"steps":[],"achieved_ns":[],"fault":null,"fault_token":null,"outcome":"validation"})"));
}

TEST(TruthLog, LineIsExact) {
  TruthRecord record;
  record.id = 7;
  record.model = "qwen2";
  record.received = TimePoint(1000ns);
  record.prompt_tokens = 3;
  record.due = {TimePoint(2000ns), TimePoint(3000ns)};
  record.achieved = {TimePoint(2001ns), TimePoint(3002ns)};
  record.scheduled = TimePoint(1100ns);
  record.steps = {5, 6};
  record.cached_tokens = 2;
  record.preemptions = 1;
  record.fault = "stall";
  record.fault_token = 2;
  std::string line;
  append_truth_line(record, line);
  EXPECT_EQ(line,
            "{\"id\":7,\"model\":\"qwen2\",\"route\":\"/generate\",\"client_id\":null,\"recv_ns\":1000,"
            "\"prompt_tokens\":3,\"scheduled_ns\":1100,\"cached_tokens\":2,\"preemptions\":1,"
            "\"due_ns\":[2000,3000],\"steps\":[5,6],\"achieved_ns\":[2001,3002],\"fault\":\"stall\",\"fault_token\":2,"
            "\"outcome\":\"ok\"}\n");
  EXPECT_THROW(TruthLog("/nonexistent/folder/x"), std::runtime_error);
}

TEST(TruthLog, NoTokenLeavesBeforeItIsDue) {
  const std::string path = ::testing::TempDir() + "refserver_truth_due_" + std::to_string(getpid()) + ".jsonl";
  TruthLog log(path);
  {
    TestServer server({}, {5ms, 1ms}, &log);
    std::vector<std::unique_ptr<TestClient>> clients;
    for (int i = 0; i < 32; ++i) clients.push_back(std::make_unique<TestClient>(server));
    for (auto& client : clients) client->send(TestClient::request("/generate_stream", long_answer(50)));
    for (auto& client : clients) EXPECT_EQ(client->read_answer().status, 200);
  }
  EXPECT_TRUE(log.finish());
  const auto numbers = [](const std::string& line, const std::string& key) {
    std::vector<long long> out;
    std::stringstream text(line.substr(line.find(key) + key.size()));
    for (long long n = 0; text >> n;) {
      out.push_back(n);
      if (text.get() != ',') break;
    }
    return out;
  };
  int requests = 0;
  for (const std::string& line : lines_of(path)) {
    const auto received = numbers(line, "\"recv_ns\":");
    const auto due = numbers(line, "\"due_ns\":[");
    const auto achieved = numbers(line, "\"achieved_ns\":[");
    ASSERT_EQ(due.size(), 50U);
    ASSERT_EQ(achieved.size(), 50U);
    for (std::size_t i = 0; i < 50; ++i) {
      EXPECT_EQ(due[i], received[0] + 5'000'000 + static_cast<long long>(i) * 1'000'000);
      EXPECT_GE(achieved[i], due[i]);
    }
    ++requests;
  }
  EXPECT_EQ(requests, 32);
  std::remove(path.c_str());
}

}  // namespace
}  // namespace refserver
