// What is known of a head must be what reading it says: parsers that share a memory beside parsers without one.
#include "loadgen/drive/head_memory.hpp"

#include <gtest/gtest.h>

#include <random>
#include <tuple>

#include "loadgen/drive/http_parser.hpp"

namespace loadgen {
namespace {

TEST(HeadMemory, FindsAHeadWhateverItsLengthSays) {
  HeadMemory memory;
  const std::string head = "HTTP/1.1 200 OK\r\ncontent-length: 12\r\nx: y\r\n\r\n";
  EXPECT_EQ(memory.find(head), 0U) << "nothing is kept yet";
  memory.keep(head, std::string_view(head).substr(head.find("12"), 2), {200, true, false, "text/plain", 12});
  const std::string longer = "HTTP/1.1 200 OK\r\ncontent-length: 123456\r\nx: y\r\n\r\n";
  EXPECT_EQ(memory.find(longer + "body"), longer.size());
  EXPECT_EQ(memory.said().content_length, 123456U);
  EXPECT_EQ(memory.said().content_type, "text/plain");
  EXPECT_EQ(memory.find(longer.substr(0, longer.size() - 1)), 0U) << "not whole";
  for (const char* digits : {"", "x", "-1", "1 ", "1234567890123456789"})
    EXPECT_EQ(memory.find("HTTP/1.1 200 OK\r\ncontent-length: " + std::string(digits) + "\r\nx: y\r\n\r\n"), 0U)
        << digits;
  EXPECT_EQ(memory.find("HTTP/1.1 201 OK\r\ncontent-length: 12\r\nx: y\r\n\r\n"), 0U);
  EXPECT_EQ(memory.find("HTTP/1.1 200 OK\r\ncontent-length: 12\r\nx: z\r\n\r\n"), 0U);
}

struct Seen {
  HttpParser::State state;
  std::size_t used;
  std::string body, error;
  ResponseHead head;

  auto tied() const {
    return std::tie(state, used, body, error, head.status, head.keep_alive, head.content_type, head.content_encoding,
                    head.location, head.prompt_tokens, head.generated_tokens, head.truth);
  }
};

/// One response, in pieces of at most `piece` bytes.
Seen read(HttpParser& parser, std::string_view bytes, std::size_t piece) {
  parser.reset();
  Seen seen{};
  const auto is_under_way = [&] {
    return parser.state() == HttpParser::State::head || parser.state() == HttpParser::State::body;
  };
  while (seen.used < bytes.size() && is_under_way()) {
    bool is_rest = false;
    seen.used += parser.feed(bytes.substr(seen.used, piece), [&](std::string_view run) {
      is_rest = parser.is_rest_of_body(run);
      seen.body += run;
    });
    if (is_rest) {
      EXPECT_EQ(parser.state(), HttpParser::State::complete);
    }
  }
  parser.feed_eof();
  seen.state = parser.state();
  seen.head = parser.head();
  seen.error = parser.error();
  return seen;
}

class RandomAnswers {
 public:
  std::string next() {
    std::string answer =
        one_of({"HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n", "HTTP/1.0 200 OK\r\n", "HTTP/1.1 204 None\r\n",
                "HTTP/1.1 302 Found\r\n", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", "HTTP/2 200\r\n"});
    for (auto fields = random_() % 4; fields > 0; --fields) answer += field();
    answer += "\r\n5\r\nhello\r\n0\r\n\r\n{\"generated_text\":\"a\"}";
    if (random_() % 8 == 0) answer[random_() % answer.size()] = one_of({"\r", "\n", ":", "0", " "})[0];
    return answer;
  }
  std::size_t up_to(std::size_t limit) { return 1 + random_() % limit; }

 private:
  const char* one_of(std::initializer_list<const char*> words) { return words.begin()[random_() % words.size()]; }

  std::string field() {
    const std::string length = "content-length: " + std::to_string(random_() % 30) + "\r\n";
    return random_() % 2 == 0
               ? length
               : one_of({"Content-Type: application/json; charset=utf-8\r\n", "content-type: text/event-stream\r\n",
                         "transfer-encoding: chunked\r\n", "connection: close\r\n", "content-length:7 \r\n",
                         "content-encoding: gzip\r\n", "content-encoding: identity\r\n", "location: /there\r\n",
                         "x-prompt-tokens: 3\r\n", "x-generated-tokens: 4\r\n", "x-plumbline-truth: {}\r\n",
                         "content-length: 0000000000000000000005\r\n", "content-length: 99999999999999999999\r\n",
                         "date: Sun\r\n", "no colon\r\n"});
  }

  std::mt19937 random_{7};
};

TEST(HeadMemory, KnowsOfEveryHeadWhatReadingItSays) {
  HeadMemory memory;
  HttpParser knowing(&memory), plain;
  RandomAnswers answers;
  std::size_t recalled = 0;
  for (int i = 0; i < 40'000; ++i) {
    const std::string answer = answers.next();
    const std::size_t piece = i % 3 == 0 ? answers.up_to(40) : answer.size();
    const Seen expected = read(plain, answer, piece);
    recalled += memory.find(answer) > 0 ? 1U : 0U;
    const Seen seen = read(knowing, answer, piece);
    ASSERT_EQ(seen.tied(), expected.tied()) << answer << "\nin pieces of " << piece;
  }
  EXPECT_GT(recalled, 1000U) << "or this test shows nothing";
}

}  // namespace
}  // namespace loadgen
