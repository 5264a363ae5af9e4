// Streams cut anywhere give the same events, the same numbers and the same last event.
#include "refserver/gateway/event_stream.hpp"

#include <gtest/gtest.h>

namespace refserver {
namespace {

constexpr std::string_view kFirst =
    "data:{\"index\":1,\"token\":{\"id\":5,\"text\":\" \\\"generated_text\\\":\\\"x\"},"
    "\"generated_text\":null,\"details\":null}\n\n";
constexpr std::string_view kLast =
    "data:{\"index\":2,\"token\":{\"id\":6,\"text\":\"b\"},\"generated_text\":\"a b\","
    "\"details\":{\"finish_reason\":\"length\",\"generated_tokens\":2,\"seed\":null,"
    "\"input_length\":9}}\n\n";

std::string rewritten(std::string_view stream, std::size_t step, bool wants_details) {
  ScenarioStream changed("Qwen2", wants_details);
  std::string out;
  for (std::size_t at = 0; at < stream.size(); at += step) EXPECT_TRUE(changed.rewrite(stream.substr(at, step), out));
  return out + std::string(changed.rest());
}

TEST(ScenarioStream, OnlyTheLastEventChangesHoweverItIsCut) {
  const std::string stream = ": comment\n\n" + std::string(kFirst) + std::string(kLast);
  const std::string begin = ": comment\n\n" + std::string(kFirst);
  const std::string end = R"(data:{"index":2,"token":{"id":6,"text":"b"},"generated_text":"a b","details":)";
  for (std::size_t step = 1; step <= stream.size(); ++step) {
    EXPECT_EQ(rewritten(stream, step, false), begin + end + "null,\"model\":\"Qwen2\",\"tokens\":2}\n\n") << step;
  }
  EXPECT_EQ(rewritten(stream, 7, true), begin + end +
                                            R"({"finish_reason":"length","generated_tokens":2,"seed":null,)"
                                            R"("input_length":9},"model":"Qwen2","tokens":2})"
                                            "\n\n");
}

TEST(ScenarioStream, PassesWhatItDoesNotKnow) {
  for (const std::string stream : {"data:not json\n\n", "\n\n\n", "event: x\r\ndata: {}\r\n\r\n",
                                   "data:{\"error\":\"e\"}\n\n", "data:{\"index\":1", "data: [1]\n\ndata:"}) {
    for (std::size_t step = 1; step <= stream.size(); ++step) EXPECT_EQ(rewritten(stream, step, false), stream);
  }
}

TEST(ScenarioStream, AnEventHasALimit) {
  ScenarioStream changed("m", false, 100);
  std::string out;
  EXPECT_TRUE(changed.rewrite(std::string(100, 'x'), out));
  EXPECT_FALSE(changed.rewrite("x", out));
}

TEST(StreamWatcher, CountsTokensAndTakesTheAnswersOwnNumbers) {
  StreamWatcher watcher;
  watcher.see(kFirst);
  EXPECT_EQ(watcher.tally().output, 1U);
  EXPECT_FALSE(watcher.tally().input);
  watcher.see(kLast);
  EXPECT_EQ(watcher.tally().output, 2U);
  EXPECT_EQ(watcher.tally().input, 9U);
  EXPECT_FALSE(watcher.has_error());
}

TEST(StreamWatcher, ReadsOpenAisChunksAndUsage) {
  StreamWatcher watcher;
  watcher.see("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\r\n\r\n");
  EXPECT_EQ(watcher.tally().output, 1U);
  watcher.see("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":8}}\n\ndata: [DONE]\n\n");
  EXPECT_EQ(watcher.tally().output, 8U);
  EXPECT_EQ(watcher.tally().input, 4U);
}

TEST(StreamWatcher, SeesErrorsAndGivesUpOnEndlessEvents) {
  StreamWatcher watcher(64);
  watcher.see("data:{\"error\":\"e\",\"error_type\":\"generation\"}\n\n");
  EXPECT_TRUE(watcher.has_error());
  watcher.see(std::string(65, 'x'));
  watcher.see(kLast);
  EXPECT_FALSE(watcher.tally().output);
}

}  // namespace
}  // namespace refserver
