// The event-stream parser: the same events however the bytes are cut.
#include "loadgen/drive/sse_parser.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace loadgen {
namespace {

using Events = std::vector<std::string>;

Events events_of(const std::string& bytes, std::size_t piece) {
  SseParser parser;
  Events events;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    EXPECT_TRUE(parser.feed(std::string_view(bytes).substr(at, piece),
                            [&](std::string_view data) { events.emplace_back(data); }));
  }
  return events;
}

struct Case {
  const char* name;
  std::string bytes;
  Events events;
};

const std::vector<Case> cases = {
    {"with a space", "data: {\"a\":1}\n\ndata: {\"b\":2}\n\n", {"{\"a\":1}", "{\"b\":2}"}},
    {"without a space", "data:{\"a\":1}\n\ndata:[DONE]\n\n", {"{\"a\":1}", "[DONE]"}},
    {"only one space is taken", "data:  two\n\n", {" two"}},
    {"CRLF", "data: one\r\n\r\ndata: two\r\n\r\n", {"one", "two"}},
    {"CR alone", "data: one\r\rdata: two\r\r", {"one", "two"}},
    {"several data lines", "data: one\ndata: two\n\n", {"one\ntwo"}},
    {"comments and keep-alives", ":\n\n: ping\n\ndata: x\n\n:\n\n", {"x"}},
    {"other fields", "event: token\nid: 7\nretry: 10\ndata: x\n\n", {"x"}},
    {"a comment inside an event", "data: a\n: no\ndata: b\n\n", {"a\nb"}},
    {"blank lines between", "\n\ndata: x\n\n\n\n", {"x"}},
    {"a cut end is no event", "data: x\n\ndata: unfinished\n", {"x"}},
    {"UTF-8", "data: \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x98\x80\n\n", {"\xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x98\x80"}},
    {"a field that begins like data", "database: x\ndata: y\n\n", {"y"}},
};

TEST(SseParser, FindsTheSameEventsHoweverTheBytesAreCut) {
  for (const Case& c : cases) {
    for (std::size_t piece = 1; piece <= c.bytes.size(); ++piece) {
      EXPECT_EQ(events_of(c.bytes, piece), c.events) << c.name << ", pieces of " << piece;
    }
  }
}

TEST(SseParser, RefusesAnEventOverTheLimit) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{64}, std::size_t{4096}}) {
    SseParser parser(1000);
    const std::string bytes = "data: " + std::string(2000, 'x') + "\n\n";
    bool fits = true;
    std::size_t events = 0;
    for (std::size_t at = 0; at < bytes.size() && fits; at += piece) {
      fits = parser.feed(std::string_view(bytes).substr(at, piece), [&](std::string_view) { ++events; });
    }
    EXPECT_FALSE(fits) << piece;
    EXPECT_EQ(events, 0U);
  }
}

TEST(SseParser, RefusesALineOverTheLimitWhateverItSaysAndHoweverItIsCut) {
  constexpr std::size_t limit = 100;
  for (const std::string begin : {"data: ", ": ", "event: ", ""}) {
    for (const std::size_t size : {limit, limit + 1}) {
      const std::string bytes = begin + std::string(size - begin.size(), 'x') + "\ndata: y\n\n";
      for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
        SseParser parser(limit);
        bool fits = true;
        for (std::size_t at = 0; at < bytes.size() && fits; at += piece)
          fits = parser.feed(std::string_view(bytes).substr(at, piece), [](std::string_view) {});
        EXPECT_EQ(fits, size <= limit) << '"' << begin << "\", pieces of " << piece;
      }
    }
  }
}

TEST(SseParser, StartsAfreshAfterReset) {
  SseParser parser;
  parser.feed("data: half of an ev", [](std::string_view) { FAIL(); });
  parser.reset();
  Events events;
  parser.feed("data: whole\n\n", [&](std::string_view data) { events.emplace_back(data); });
  EXPECT_EQ(events, Events{"whole"});
}

TEST(SseParser, KeepsTheCommentThatTellsTheTruth) {
  const std::string text = "data: a\n\n: keep alive\n\ndata: [DONE]\n\n: truth {\"x\":1}\n\n: other\n\n";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    SseParser parser;
    Events events;
    const auto keep = [&](std::string_view data) { events.emplace_back(data); };
    for (std::size_t at = 0; at < text.size(); at += piece)
      ASSERT_TRUE(parser.feed(std::string_view(text).substr(at, piece), keep));
    EXPECT_EQ(parser.truth(), "{\"x\":1}") << piece;
    EXPECT_EQ(events, (Events{"a", "[DONE]"}));
    parser.reset();
    EXPECT_EQ(parser.truth(), "");
  }
}

}  // namespace
}  // namespace loadgen
