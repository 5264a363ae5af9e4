// The response parser over every way bytes can be cut, and over what is not HTTP.
#include "loadgen/drive/http_parser.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace loadgen {
namespace {

struct Parsed {
  HttpParser parser;
  std::string body;
  std::size_t used = 0;
};

/// Feeds `bytes` in pieces of at most `piece`.
Parsed parse(const std::string& bytes, std::size_t piece) {
  Parsed p;
  while (p.used < bytes.size() && p.parser.state() != HttpParser::State::complete &&
         p.parser.state() != HttpParser::State::malformed) {
    const auto part = std::string_view(bytes).substr(p.used, piece);
    p.used += p.parser.feed(part, [&](std::string_view body) { p.body += body; });
  }
  return p;
}

const std::string chunked =
    "HTTP/1.1 200 OK\r\ncontent-type: Text/Event-Stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n"
    "x-prompt-tokens: 12\r\n\r\n"
    "5\r\nhello\r\nB;name=\"v\"\r\n world, you\r\n0\r\nx-trailer: 1\r\n\r\n";

TEST(HttpParser, ReadsAChunkedBodyHoweverItIsCut) {
  for (std::size_t piece = 1; piece <= chunked.size(); ++piece) {
    const Parsed p = parse(chunked, piece);
    ASSERT_EQ(p.parser.state(), HttpParser::State::complete) << piece << ": " << p.parser.error();
    EXPECT_EQ(p.body, "hello world, you");
    EXPECT_EQ(p.parser.head().status, 200);
    EXPECT_EQ(p.parser.head().content_type, "text/event-stream");
    EXPECT_EQ(p.parser.head().prompt_tokens, 12U);
    EXPECT_TRUE(p.parser.head().keep_alive);
    EXPECT_EQ(p.used, chunked.size());
  }
}

TEST(HttpParser, ReadsABodyOfKnownLengthAndStopsThere) {
  const std::string bytes = "HTTP/1.1 429 Too Many\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusyEXTRA";
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    const Parsed p = parse(bytes, piece);
    EXPECT_EQ(p.parser.state(), HttpParser::State::complete);
    EXPECT_EQ(p.body, "busy");
    EXPECT_EQ(p.used, bytes.size() - 5);
    EXPECT_FALSE(p.parser.head().keep_alive);
  }
}

TEST(HttpParser, SkipsInterimHeads) {
  const Parsed p = parse("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", 3);
  EXPECT_EQ(p.parser.state(), HttpParser::State::complete);
  EXPECT_EQ(p.parser.head().status, 204);
}

TEST(HttpParser, ABodyWithoutLengthEndsWithTheConnection) {
  Parsed p = parse("HTTP/1.0 200 OK\r\n\r\nto the end", 4);
  EXPECT_EQ(p.parser.state(), HttpParser::State::body);
  p.parser.feed_eof();
  EXPECT_EQ(p.parser.state(), HttpParser::State::complete);
  EXPECT_EQ(p.body, "to the end");
  EXPECT_FALSE(p.parser.head().keep_alive);
}

TEST(HttpParser, ACutChunkedBodyIsNotComplete) {
  Parsed p = parse(chunked.substr(0, chunked.size() - 2), 7);
  p.parser.feed_eof();
  EXPECT_EQ(p.parser.state(), HttpParser::State::body);
}

TEST(HttpParser, RefusesWhatIsNotHttp) {
  const std::vector<std::string> bad = {
      "SSH-2.0-OpenSSH_9.2\r\n\r\n",
      "HTTP/2 200\r\n\r\n",
      "HTTP/1.1 abc OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
      "HTTP/1.1 200 OK\r\ncontent-length: 5x\r\n\r\n",
      "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabc\r\n",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff1\r\n",
      "HTTP/1.1 200 OK\r\nx: " + std::string(70'000, 'a'),
  };
  for (const std::string& bytes : bad) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{5}, bytes.size()}) {
      const Parsed p = parse(bytes, piece);
      EXPECT_EQ(p.parser.state(), HttpParser::State::malformed) << bytes.substr(0, 60) << " by " << piece;
      EXPECT_FALSE(p.parser.error().empty());
    }
  }
}

TEST(HttpParser, ReadsTheNextResponseAfterReset) {
  Parsed p = parse(chunked, 1000);
  p.parser.reset();
  p.body.clear();
  p.parser.feed("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", [&](std::string_view body) { p.body += body; });
  EXPECT_EQ(p.parser.state(), HttpParser::State::complete);
  EXPECT_EQ(p.body, "ok");
  EXPECT_FALSE(p.parser.head().prompt_tokens);
}

}  // namespace
}  // namespace loadgen
