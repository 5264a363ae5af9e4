// Answers as servers and proxies really cut and spell them, through the whole reader (HTTP, event stream, JSON), at
// every piece size: the same tokens and the same outcome however the bytes arrive.
#include <gtest/gtest.h>

#include "loadgen/drive/exchange.hpp"

namespace loadgen {
namespace {

const std::string plain_head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
const std::string chunked_head =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream;charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n";

/// `body` as chunks of `size` bytes: chunk borders fall anywhere.
std::string chunks(const std::string& body, std::size_t size) {
  std::string out;
  for (std::size_t at = 0; at < body.size(); at += size) {
    const std::string part = body.substr(at, size);
    char head[16];
    std::snprintf(head, sizeof head, "%zX\r\n", part.size());
    out += head + part + "\r\n";
  }
  return out + "0\r\n\r\n";
}

std::string tgi(int index, const std::string& text, bool last = false) {
  return R"({"index":)" + std::to_string(index) + R"(,"token":{"id":7,"text":")" + text +
         R"(","logprob":-1.5e-3,"special":false},"generated_text":)" +
         (last ? R"("all","details":{"finish_reason":"length","generated_tokens":3,"seed":null,"input_length":2}})"
               : R"(null,"details":null})");
}

std::string chat(const std::string& text) {
  return R"({"choices":[{"index":0,"delta":{"content":")" + text + R"("},"finish_reason":null}]})";
}

struct Case {
  const char* name;
  Route route;
  std::string events;  ///< the body
  Outcome outcome;
  std::size_t tokens;
};

const std::string wide = "\xe4\xbd\xa0\xe5\xa5\xbd\xf0\x9f\x98\x80";
const std::string lf3 = "data:" + tgi(1, "a") + "\n\ndata:" + tgi(2, wide) + "\n\ndata:" + tgi(3, "c", true) + "\n\n";

const std::vector<Case> cases = {
    {"TGI as it is", Route::tgi_stream, lf3, Outcome::ok, 3},
    {"CRLF", Route::tgi_stream,
     "data: " + tgi(1, "a") + "\r\n\r\ndata: " + tgi(2, wide) + "\r\n\r\ndata: " + tgi(3, "c", true) + "\r\n\r\n",
     Outcome::ok, 3},
    {"CR alone", Route::tgi_stream,
     "data: " + tgi(1, "a") + "\r\rdata: " + tgi(2, wide) + "\r\rdata: " + tgi(3, "c", true) + "\r\r", Outcome::ok, 3},
    {"keep-alive comments and other fields", Route::tgi_stream,
     ":\n\n: ping\n\nid: 1\nevent: message\nretry: 5\n" + lf3 + ": bye\n\n", Outcome::ok, 3},
    {"one event over several data lines", Route::tgi_stream,
     "data: {\"index\":1,\ndata: \"token\":{\"id\":1,\"text\":\"a\"},\ndata:\"generated_text\":\"a\"}\n\n", Outcome::ok,
     1},
    {"escapes in the text", Route::tgi_stream,
     "data:" + tgi(1, R"(\n\"data: [DONE]\"\u4f60\\)") + "\n\ndata:" + tgi(2, "c", true) + "\n\n", Outcome::ok, 2},
    {"no [DONE] on a chat stream that finished", Route::openai_chat,
     "data: " + chat("a") + "\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
     Outcome::ok, 1},
    {"[DONE] without a finish reason", Route::openai_chat, "data: " + chat("a") + "\n\ndata: [DONE]\n\n", Outcome::ok,
     1},
    {"garbage after [DONE]", Route::openai_chat,
     "data: " + chat("a") + "\n\ndata: [DONE]\n\ndata: {{{\n\nwhat is this\n\n", Outcome::ok, 1},
    {"no end at all", Route::openai_chat, "data: " + chat("a") + "\n\n", Outcome::truncated, 1},
    {"the last event lacks its blank line", Route::tgi_stream,
     "data:" + tgi(1, "a") + "\n\ndata:" + tgi(2, "b", true) + "\n", Outcome::truncated, 1},
    {"an error instead of tokens", Route::tgi_stream,
     "data:{\"error\":\"Request failed during generation\",\"error_type\":\"generation\"}\n\n", Outcome::stream_error,
     0},
    {"an error after tokens", Route::openai_chat,
     "data: " + chat("a") + "\n\ndata: {\"error\":{\"message\":\"lost\",\"type\":\"x\"}}\n\ndata: [DONE]\n\n",
     Outcome::stream_error_partial, 1},
    {"JSON cut by the server", Route::tgi_stream, "data:" + tgi(1, "a") + "\n\ndata:{\"index\":2,\"tok\n\n",
     Outcome::malformed, 1},
    {"text that is no JSON", Route::tgi_stream, "data: upstream connect error\n\n", Outcome::malformed, 0},
    {"HTML in a 200 stream", Route::tgi_stream, "<html>\n<body>oops</body>\n\n", Outcome::truncated, 0},
    {"nothing", Route::tgi_stream, "", Outcome::truncated, 0},
};

RequestRecord read(const Case& c, const std::string& bytes, std::size_t piece) {
  MixEntry entry;
  entry.route = c.route;
  Exchange x;
  x.prepare(entry, Timeouts{});
  x.on_sending(1);
  x.on_sent(2);
  std::int64_t at = 10;
  for (std::size_t from = 0; from < bytes.size() && !x.is_over(); from += piece, ++at) {
    x.on_bytes(std::string_view(bytes).substr(from, piece), {at, at, true});
  }
  if (!x.is_over()) x.on_closed(0, {}, at);
  EXPECT_TRUE(x.is_over());
  return x.record;
}

void expect_as_stated(const Case& c, const std::string& bytes, const char* framing) {
  for (std::size_t piece = 1; piece <= bytes.size(); piece += piece < 80 ? 1 : 37) {
    const RequestRecord record = read(c, bytes, piece);
    ASSERT_EQ(label(record.outcome), label(c.outcome))
        << c.name << ", " << framing << ", pieces of " << piece << ": " << record.error;
    ASSERT_EQ(record.events.size(), c.tokens) << c.name << ", " << framing << ", pieces of " << piece;
    for (std::size_t i = 1; i < record.events.size(); ++i)
      ASSERT_LE(record.events[i - 1].at_ns, record.events[i].at_ns);
    ASSERT_EQ(record.index_breaks, 0U) << c.name;
  }
}

TEST(Torture, AnswersReadTheSameHoweverTheyAreCut) {
  for (const Case& c : cases) {
    expect_as_stated(c, plain_head + c.events, "until the end");
    expect_as_stated(c, chunked_head + chunks(c.events, 1 << 20), "one chunk");
    expect_as_stated(c, chunked_head + chunks(c.events, 7), "chunks of 7");
  }
}

TEST(Torture, AStreamCutAnywhereIsNeverTakenForAWholeOne) {
  const std::string bytes = chunked_head + chunks(lf3, 50);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const RequestRecord record = read(cases[0], bytes.substr(0, length), bytes.size());
    EXPECT_TRUE(record.outcome == Outcome::truncated || record.outcome == Outcome::reset)
        << length << " " << label(record.outcome);
    EXPECT_LE(record.events.size(), 3U);
  }
}

}  // namespace
}  // namespace loadgen
