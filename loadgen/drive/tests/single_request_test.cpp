// One request against a server that misbehaves in every way a server can: each way has its class.
#include "loadgen/drive/single_request.hpp"

#include <gtest/gtest.h>

#include "loadgen/drive/tests/stub_server.hpp"

namespace loadgen {
namespace {

using testing_support::StubConnection;
using testing_support::StubServer;

const std::string stream_head =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

std::string chunk(const std::string& data) {
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", data.size());
  return size + data + "\r\n";
}

std::string token(int index) {
  return "data: {\"index\":" + std::to_string(index) +
         ",\"token\":{\"id\":1,\"text\":\"t\",\"logprob\":0.0,\"special\":false},\"generated_text\":null,\"details\":"
         "null}\n\n";
}

const std::string last_token =
    "data: "
    "{\"index\":9,\"token\":{\"id\":1,\"text\":\"t\",\"logprob\":0.0,\"special\":false},\"generated_text\":\"t\","
    "\"details\":null}\n\n";

MixEntry entry_of(Route route, Delivery delivery) {
  MixEntry entry;
  entry.target.authority = "stub";
  entry.route = route;
  entry.delivery = delivery;
  entry.prompts = {"hello"};
  entry.parameters.max_new_tokens = 2;
  return entry;
}

Timeouts short_timeouts() {
  Timeouts timeouts;
  timeouts.total = std::chrono::milliseconds(300);
  timeouts.connect = std::chrono::milliseconds(300);
  return timeouts;
}

RequestRecord ask(const StubServer::Script& script, Route route = Route::tgi_stream,
                  Delivery delivery = Delivery::stream) {
  StubServer server(script);
  Timeouts timeouts;
  timeouts.total = std::chrono::seconds(20);
  return send_single_request(entry_of(route, delivery), {"127.0.0.1", server.port()}, timeouts);
}

TEST(SingleRequest, ReadsAStreamAndStampsItInOrder) {
  std::string seen;
  const RequestRecord r = ask([&](StubConnection& c, const std::string& request) {
    seen = request;
    c.send(stream_head + chunk(token(1)) + chunk(last_token) + "0\r\n\r\n");
    return true;
  });
  EXPECT_EQ(r.outcome, Outcome::ok) << r.error;
  EXPECT_EQ(r.output_tokens, 2U);
  EXPECT_EQ(r.http_status, 200);
  EXPECT_EQ(seen.substr(0, 21), "POST /generate_stream");
  EXPECT_LE(r.stamps.intended, r.stamps.dispatch);
  EXPECT_LE(r.stamps.dispatch, r.stamps.connected);
  EXPECT_LE(r.stamps.connected, r.stamps.send);
  EXPECT_LE(r.stamps.send, r.stamps.sent);
  EXPECT_LE(r.stamps.sent, r.stamps.headers);
  EXPECT_LE(r.stamps.headers, r.stamps.first_token);
  EXPECT_LE(r.stamps.first_token, r.stamps.last_token);
  EXPECT_LE(r.stamps.last_token, r.stamps.end);
}

TEST(SingleRequest, TokensOfOneReadShareAStampAndAreCountedAsCoalesced) {
  const RequestRecord r = ask([&](StubConnection& c, const std::string&) {
    c.send(stream_head + chunk(token(1) + token(2) + last_token) + "0\r\n\r\n");
    return true;
  });
  ASSERT_EQ(r.events.size(), 3U);
  EXPECT_EQ(r.events[0].at_ns, r.events[2].at_ns);
  EXPECT_EQ(r.coalesced_events, 3U);
}

TEST(SingleRequest, ClassifiesWhatGoesWrong) {
  struct Case {
    const char* name;
    std::string answer;
    bool reset;
    Outcome outcome;
  };
  const std::vector<Case> cases = {
      {"closed before a byte", "", false, Outcome::reset},
      {"reset before a byte", "", true, Outcome::reset},
      {"half a head", "HTTP/1.1 200 OK\r\ncontent-", false, Outcome::truncated},
      {"cut after a token", stream_head + chunk(token(1)), false, Outcome::truncated},
      {"cut inside a chunk", stream_head + "ff\r\ndata: {\"ind", false, Outcome::truncated},
      {"ended without the final event", stream_head + chunk(token(1)) + "0\r\n\r\n", false, Outcome::truncated},
      {"no token at all", stream_head + chunk("data: {\"generated_text\":\"\"}\n\n") + "0\r\n\r\n", false,
       Outcome::empty_output},
      {"not HTTP", "220 mail.example ESMTP\r\n\r\n", false, Outcome::malformed},
      {"an event that is not JSON", stream_head + chunk("data: hello\n\n") + "0\r\n\r\n", false, Outcome::malformed},
      {"bad chunk size", stream_head + "zz\r\n", false, Outcome::malformed},
      {"not a stream", "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}", false,
       Outcome::malformed},
      {"error in the stream",
       stream_head + chunk("data: {\"error\":\"no\",\"error_type\":\"generation\"}\n\n") + "0\r\n\r\n", false,
       Outcome::stream_error},
      {"error after a token", stream_head + chunk(token(1)) + chunk("data: {\"error\":\"no\"}\n\n") + "0\r\n\r\n",
       false, Outcome::stream_error_partial},
      {"429", "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n", false, Outcome::overloaded},
      {"404", "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", false, Outcome::http_4xx},
      {"500", "HTTP/1.1 500 Oops\r\ncontent-length: 4\r\n\r\noops", false, Outcome::http_5xx},
      {"a redirect", "HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n", false, Outcome::malformed},
  };
  for (const Case& c : cases) {
    const RequestRecord r = ask([&](StubConnection& connection, const std::string&) {
      connection.send(c.answer);
      if (c.reset) connection.reset();
      return false;
    });
    EXPECT_EQ(label(r.outcome), label(c.outcome)) << c.name << ": " << r.error;
    EXPECT_FALSE(r.error.empty()) << c.name;
    EXPECT_NE(r.stamps.end, 0) << c.name;
  }
}

TEST(SingleRequest, RefusedConnectionsAreConnectErrors) {
  std::uint16_t port = 0;
  {
    port = StubServer([](StubConnection&, const std::string&) { return false; }).port();
  }
  const RequestRecord r = send_single_request(entry_of(Route::tgi, Delivery::whole), {"127.0.0.1", port}, Timeouts{});
  EXPECT_EQ(r.outcome, Outcome::connect);
  EXPECT_EQ(r.stamps.send, 0);
}

TEST(SingleRequest, SilentServersAreCutByTheTotalTimeout) {
  StubServer server([&](StubConnection& c, const std::string&) {
    c.send(stream_head);
    return true;
  });
  const RequestRecord r = send_single_request(entry_of(Route::tgi_stream, Delivery::stream),
                                              {"127.0.0.1", server.port()}, short_timeouts());
  EXPECT_EQ(r.outcome, Outcome::timeout_total);
}

TEST(SingleRequest, ReadsWholeAnswersAndTheirHeaders) {
  const std::string body = R"({"generated_text":"abc"})";
  const RequestRecord r = ask(
      [&](StubConnection& c, const std::string&) {
        c.send(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-generated-tokens: 5\r\nx-prompt-tokens: "
            "3\r\ncontent-length: " +
            std::to_string(body.size()) + "\r\n\r\n" + body);
        return true;
      },
      Route::tgi, Delivery::whole);
  EXPECT_EQ(r.outcome, Outcome::ok) << r.error;
  EXPECT_EQ(r.output_tokens, 5U);
  EXPECT_EQ(r.input_tokens, 3U);
  EXPECT_TRUE(r.events.empty());
}

}  // namespace
}  // namespace loadgen
