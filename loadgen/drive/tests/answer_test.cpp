// Which events are tokens and how an answer ended, per route; with the worked example of the metric definitions.
#include "loadgen/drive/answer.hpp"

#include <gtest/gtest.h>

namespace loadgen {
namespace {

constexpr std::int64_t ms = 1'000'000;

struct Answer {
  explicit Answer(Route route, Delivery delivery = Delivery::stream) {
    entry.route = route;
    record.streamed = delivery == Delivery::stream;
    reader.start(entry, record);
  }
  MixEntry entry;
  RequestRecord record;
  AnswerReader reader;
};

std::string tgi_event(int index, bool last = false) {
  return R"({"index":)" + std::to_string(index) +
         R"(,"token":{"id":1,"text":"t","logprob":-0.5,"special":false},"generated_text":)" +
         (last ? R"("ttt","details":{"finish_reason":"length","generated_tokens":3,"seed":null,"input_length":9}})"
               : R"(null,"details":null})");
}

TEST(Answer, CountsTgiEventsAsOneTokenEach) {
  Answer a(Route::tgi_stream);
  a.reader.on_event(tgi_event(1), 10 * ms);
  a.reader.on_event(tgi_event(2), 20 * ms);
  a.reader.on_event(tgi_event(3, true), 30 * ms);
  a.reader.finish_complete(31 * ms);
  EXPECT_EQ(a.record.outcome, Outcome::ok);
  EXPECT_EQ(a.record.events.size(), 3U);
  EXPECT_EQ(a.record.stamps.first_token, 10 * ms);
  EXPECT_EQ(a.record.stamps.last_token, 30 * ms);
  EXPECT_EQ(a.record.stamps.end, 31 * ms);
  EXPECT_EQ(a.record.output_tokens, 3U);
  EXPECT_EQ(a.record.token_source, TokenSource::server_usage);
  EXPECT_EQ(a.record.input_tokens, 9U);
  EXPECT_EQ(a.record.finish_reason, "length");
}

TEST(Answer, ATgiStreamWithoutItsFinalEventIsTruncated) {
  Answer a(Route::tgi_stream);
  a.reader.on_event(tgi_event(1), 10 * ms);
  a.reader.finish_complete(12 * ms);
  EXPECT_EQ(a.record.outcome, Outcome::truncated);
  EXPECT_EQ(a.record.output_tokens, 1U);
  EXPECT_EQ(a.record.token_source, TokenSource::server_stream);
}

TEST(Answer, ATgiStreamWithoutDetailsCountsItsEvents) {
  Answer a(Route::tgi_stream);
  a.reader.on_event(tgi_event(1), 10 * ms);
  a.reader.on_event(
      R"({"index":2,"token":{"id":2,"text":"</s>","logprob":0.0,"special":true},"generated_text":"t","details":null})",
      20 * ms);
  a.reader.finish_complete(20 * ms);
  EXPECT_EQ(a.record.outcome, Outcome::ok);
  EXPECT_EQ(a.record.output_tokens, 2U);
  EXPECT_EQ(a.record.token_source, TokenSource::server_stream);
}

// The chat stream of the definitions: role chunk, 1 + 3 + 1 tokens, an empty chunk, 2 tokens, usage, [DONE].
TEST(Answer, FollowsTheWorkedChatExample) {
  Answer a(Route::openai_chat);
  const auto chunk = [](const std::string& content, int tokens) {
    return R"({"choices":[{"index":0,"delta":{"content":")" + content +
           R"("},"finish_reason":null}],"usage":{"prompt_tokens":4,"completion_tokens":)" + std::to_string(tokens) +
           "}}";
  };
  a.reader.on_event(
      R"({"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null})",
      80 * ms);
  a.reader.on_event(chunk("a", 1), 105 * ms);
  a.reader.on_event(chunk("bcd", 4), 145 * ms);
  a.reader.on_event(chunk("e", 5), 165 * ms);
  a.reader.on_event(chunk("", 5), 170 * ms);
  a.reader.on_event(chunk("fg", 7), 205 * ms);
  a.reader.on_event(R"({"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":7}})", 206 * ms);
  EXPECT_FALSE(a.reader.on_event("[DONE]", 206 * ms + ms / 2));
  a.reader.finish_complete(210 * ms);
  ASSERT_EQ(a.record.events.size(), 4U);
  EXPECT_EQ(a.record.events[0].tokens, 1U);
  EXPECT_EQ(a.record.events[1].tokens, 3U);
  EXPECT_EQ(a.record.events[2].tokens, 1U);
  EXPECT_EQ(a.record.events[3].tokens, 2U);
  EXPECT_EQ(a.record.stamps.first_token, 105 * ms);
  EXPECT_EQ(a.record.stamps.last_token, 205 * ms);
  EXPECT_EQ(a.record.stamps.end, 206 * ms + ms / 2);
  EXPECT_EQ(a.record.output_tokens, 7U);
  EXPECT_EQ(a.record.input_tokens, 4U);
  EXPECT_EQ(a.record.outcome, Outcome::ok);
}

TEST(Answer, ChatWithFinalUsageEqualToItsEventsHasOneTokenEach) {
  Answer a(Route::openai_chat);
  a.reader.on_event(
      R"({"choices":[{"index":0,"delta":{"role":"assistant","content":"x"},"finish_reason":null}],"usage":null})",
      10 * ms);
  a.reader.on_event(
      R"({"choices":[{"index":0,"delta":{"role":"assistant","content":"y"},"finish_reason":"length"}],"usage":null})",
      20 * ms);
  a.reader.on_event(R"({"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}})", 21 * ms);
  a.reader.on_event("[DONE]", 22 * ms);
  a.reader.finish_complete(23 * ms);
  EXPECT_EQ(a.record.outcome, Outcome::ok);
  EXPECT_EQ(a.record.events[0].tokens, 1U);
  EXPECT_EQ(a.record.events[1].tokens, 1U);
  EXPECT_EQ(a.record.output_tokens, 2U);
}

TEST(Answer, ChatWithMoreUsageThanEventsLeavesTheirTokensUnknown) {
  Answer a(Route::openai_chat);
  a.reader.on_event(R"({"choices":[{"index":0,"delta":{"content":"x y z"},"finish_reason":"stop"}]})", 10 * ms);
  a.reader.on_event(R"({"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":5}})", 21 * ms);
  a.reader.finish_complete(23 * ms);
  EXPECT_EQ(a.record.outcome, Outcome::ok);
  EXPECT_EQ(a.record.events[0].tokens, 0U);
  EXPECT_EQ(a.record.output_tokens, 5U);
}

TEST(Answer, ReasoningAndToolCallsAreTokensAndFinishChunksAreNot) {
  Answer a(Route::openai_chat);
  a.reader.on_event(R"({"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]})", 1 * ms);
  a.reader.on_event(
      R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"0","type":"function","function":{"name":"f","arguments":""}}]}}]})",
      2 * ms);
  a.reader.on_event(
      R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"type":"function","function":{"arguments":""}}]}}]})",
      3 * ms);
  a.reader.on_event(R"({"choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}]})", 4 * ms);
  a.reader.finish_complete(5 * ms);
  EXPECT_EQ(a.record.outcome, Outcome::ok);
  EXPECT_EQ(a.record.events.size(), 2U);
  EXPECT_EQ(a.record.stamps.first_token, 1 * ms);
  EXPECT_EQ(a.record.stamps.first_output, 2 * ms) << "a call is output, a thought is not";
  EXPECT_EQ(a.record.finish_reason, "stop");
  EXPECT_EQ(a.record.token_source, TokenSource::chunks);
}

TEST(Answer, TheFirstOutputIsTheFirstTokenOfTgiAndTheFirstTextElsewhere) {
  Answer tgi(Route::tgi_stream);
  tgi.reader.on_event(tgi_event(1), 1 * ms);
  EXPECT_EQ(tgi.record.stamps.first_output, 1 * ms);

  Answer chat(Route::openai_chat);
  const auto chunk = [](const std::string& delta, int tokens) {
    return R"({"choices":[{"index":0,"delta":)" + delta + R"(}],"usage":{"completion_tokens":)" +
           std::to_string(tokens) + "}}";
  };
  chat.reader.on_event(chunk(R"({"content":""})", 1), 1 * ms);  // a token that is not shown, such as <think>
  chat.reader.on_event(chunk(R"({"reasoning":"hm","content":""})", 2), 2 * ms);
  EXPECT_EQ(chat.record.stamps.first_token, 1 * ms);
  EXPECT_EQ(chat.record.stamps.first_output, 0) << "nothing to read yet";
  chat.reader.on_event(chunk(R"({"reasoning":"so","content":"a"})", 3), 3 * ms);
  chat.reader.on_event(chunk(R"({"content":"b"})", 4), 4 * ms);
  EXPECT_EQ(chat.record.stamps.first_output, 3 * ms);
  EXPECT_EQ(chat.record.events.size(), 4U);
}

TEST(Answer, OnlyTheFirstChoiceIsTimed) {
  Answer a(Route::openai_completions);
  a.reader.on_event(R"({"choices":[{"index":0,"text":"","finish_reason":null},{"index":1,"text":"other"}]})", 1 * ms);
  a.reader.on_event(R"({"choices":[{"index":0,"text":"mine","finish_reason":"length"}]})", 2 * ms);
  a.reader.finish_complete(3 * ms);
  EXPECT_EQ(a.record.events.size(), 1U);
  EXPECT_EQ(a.record.stamps.first_token, 2 * ms);
}

TEST(Answer, ErrorsInsideAStreamFailTheRequest) {
  Answer before(Route::tgi_stream);
  before.reader.on_event(R"({"error":"Input validation error: too long","error_type":"validation"})", 1 * ms);
  before.reader.finish_complete(2 * ms);
  EXPECT_EQ(before.record.outcome, Outcome::stream_error);
  EXPECT_EQ(before.record.error_type, "validation");

  Answer overloaded(Route::tgi_stream);
  overloaded.reader.on_event(R"({"error":"Model is overloaded","error_type":"overloaded"})", 1 * ms);
  overloaded.reader.finish_complete(2 * ms);
  EXPECT_EQ(overloaded.record.outcome, Outcome::overloaded);

  Answer after(Route::openai_chat);
  after.reader.on_event(R"({"choices":[{"index":0,"delta":{"content":"x"}}]})", 1 * ms);
  after.reader.on_event(R"({"error":{"message":"device lost","http_status_code":422}})", 2 * ms);
  after.reader.on_event("[DONE]", 3 * ms);
  after.reader.finish_complete(3 * ms);
  EXPECT_EQ(after.record.outcome, Outcome::stream_error_partial);
  EXPECT_EQ(after.record.error, "device lost");
}

TEST(Answer, BadEventsAndEmptyAnswersAreFailures) {
  for (const char* bad : {"not json", "[1,2]", "{\"token\":", "\"text\"", ""}) {
    Answer a(Route::tgi_stream);
    EXPECT_FALSE(a.reader.on_event(bad, 1 * ms));
    EXPECT_EQ(a.record.outcome, Outcome::malformed) << bad;
  }
  Answer empty(Route::openai_chat);
  empty.reader.on_event(R"({"choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}]})", 1 * ms);
  empty.reader.on_event("[DONE]", 2 * ms);
  empty.reader.finish_complete(2 * ms);
  EXPECT_EQ(empty.record.outcome, Outcome::empty_output);
  Answer nothing(Route::tgi_stream);
  nothing.reader.finish_complete(2 * ms);
  EXPECT_EQ(nothing.record.outcome, Outcome::truncated);
}

TEST(Answer, DeepNestingIsRefusedNotFollowed) {
  Answer a(Route::tgi_stream);
  EXPECT_FALSE(a.reader.on_event("{\"x\":" + std::string(100'000, '[') + "}", 1 * ms));
  EXPECT_EQ(a.record.outcome, Outcome::malformed);
}

TEST(Answer, ReadsWholeBodiesOfEveryRoute) {
  Answer tgi(Route::tgi, Delivery::whole);
  tgi.reader.on_whole_body(
      R"({"generated_text":"abc","details":{"finish_reason":"length","generated_tokens":4,"seed":null,"prefill":[],"tokens":[{"id":1,"text":"a"}]}})");
  tgi.reader.finish_complete(9 * ms);
  EXPECT_EQ(tgi.record.outcome, Outcome::ok);
  EXPECT_EQ(tgi.record.output_tokens, 4U);

  Answer gateway(Route::gateway, Delivery::whole);
  gateway.reader.on_whole_body(R"({"generated_text":"abc","model":"Qwen2-7B-Instruct-GPTQ-Int4","tokens":3})");
  gateway.reader.finish_complete(9 * ms);
  EXPECT_EQ(gateway.record.outcome, Outcome::ok);
  EXPECT_EQ(gateway.record.output_tokens, 3U);

  Answer chat(Route::openai_chat, Delivery::whole);
  chat.reader.on_whole_body(
      R"({"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":1,"total_tokens":3}})");
  chat.reader.finish_complete(9 * ms);
  EXPECT_EQ(chat.record.outcome, Outcome::ok);
  EXPECT_EQ(chat.record.output_tokens, 1U);
  EXPECT_EQ(chat.record.finish_reason, "stop");

  Answer none(Route::tgi, Delivery::whole);
  none.reader.on_whole_body(R"({"generated_text":""})");
  none.reader.finish_complete(9 * ms);
  EXPECT_EQ(none.record.outcome, Outcome::empty_output);

  Answer other(Route::tgi, Delivery::whole);
  other.reader.on_whole_body(R"({"hello":"world"})");
  other.reader.finish_complete(9 * ms);
  EXPECT_EQ(other.record.outcome, Outcome::malformed);
}

TEST(Answer, StatusCodesBecomeClassesAndKeepTheServersWords) {
  const std::vector<std::tuple<int, std::string, Outcome>> table = {
      {429, R"({"error":"Model is overloaded","error_type":"overloaded"})", Outcome::overloaded},
      {503, "", Outcome::overloaded},
      {422, R"({"error":"Input validation error","error_type":"validation"})", Outcome::http_4xx},
      {424, R"({"error":"Request failed during generation","error_type":"generation"})", Outcome::http_4xx},
      {500, "oops", Outcome::http_5xx}};
  for (const auto& [status, body, outcome] : table) {
    Answer a(Route::tgi_stream);
    a.reader.on_error_body(body, status);
    a.reader.finish_complete(1 * ms);
    EXPECT_EQ(a.record.outcome, outcome) << status;
    EXPECT_FALSE(a.record.error.empty());
  }
}

TEST(Answer, AnUnknownPathIsNamed) {
  const auto said = [](const std::string& body, int status) {
    Answer a(Route::tgi_stream);
    a.entry.target.url = "http://h/v1";
    a.reader.on_error_body(body, status);
    return a.record.error;
  };
  EXPECT_EQ(said("", 404), "no tgi-stream at http://h/v1: HTTP 404");
  EXPECT_EQ(said(R"({"detail":"Not Found"})", 404), R"(no tgi-stream at http://h/v1: {"detail":"Not Found"})");
  EXPECT_EQ(said(R"({"error":{"message":"The model `x` does not exist."}})", 404), "The model `x` does not exist.");
  EXPECT_EQ(said("", 400), "HTTP 400");
}

}  // namespace
}  // namespace loadgen
