// Answers of servers that only a template describes, and what an entry expects of an answer.
#include <gtest/gtest.h>

#include "loadgen/drive/answer.hpp"
#include "loadgen/drive/line_parser.hpp"
#include "loadgen/plan/endpoint_fields.hpp"
#include "loadgen/plan/pattern.hpp"
#include "loadgen/plan/scenario_file.hpp"
#include "tokenizer/tests/small_tokenizer.hpp"

namespace loadgen {
namespace {

MixEntry entry_of(const std::string& lines) {
  const auto scenario = parse_scenario(
      "schema_version: 1\nname: t\ntarget: http://127.0.0.1:1\nload: {mode: closed, concurrency: 1}\nrequests: 1\n"
      "mix:\n  - name: a\n    model: m\n" +
          lines,
      "t.yaml", {});
  if (!scenario) throw std::invalid_argument(errors_text(scenario.error()));
  return scenario->mix.front();
}

struct Answer {
  explicit Answer(MixEntry entry_) : entry(std::move(entry_)) {
    record.streamed = entry.delivery == Delivery::stream;
    reader.start(entry, record);
  }
  Answer& events(const std::vector<std::string>& all) {
    for (const std::string& event : all) reader.on_event(event, at += 10);
    reader.finish_complete(at += 10);
    return *this;
  }
  Answer& whole(const std::string& body) {
    reader.on_whole_body(body);
    reader.finish_complete(at += 10);
    return *this;
  }
  MixEntry entry;
  RequestRecord record;
  AnswerReader reader;
  std::int64_t at = 0;
};

TEST(EndpointAnswer, OllamaEndsWithDoneAndItsCounts) {
  Answer a(entry_of("    endpoint: ollama-generate\n"));
  a.events({R"({"model":"m","response":"Hi","done":false})", R"({"model":"m","response":" you","done":false})",
            R"({"model":"m","response":"","done":true,"done_reason":"stop","prompt_eval_count":9,"eval_count":4})",
            "what comes after the end is not read"});
  EXPECT_EQ(a.record.outcome, Outcome::ok) << a.record.error;
  EXPECT_EQ(a.record.events.size(), 2U);
  EXPECT_EQ(a.record.stamps.first_token, 10);
  EXPECT_EQ(a.record.stamps.last_token, 20);
  EXPECT_EQ(a.record.stamps.end, 30);
  EXPECT_EQ(a.record.output_tokens, 4U);
  EXPECT_EQ(a.record.token_source, TokenSource::server_usage);
  EXPECT_EQ(a.record.input_tokens, 9U);
  EXPECT_EQ(a.record.finish_reason, "stop");
}

TEST(EndpointAnswer, WhatOllamaThinksIsATokenAndNoOutput) {
  Answer a(entry_of("    endpoint: ollama-chat\n"));
  a.events({R"({"message":{"role":"assistant","content":"","thinking":"hm"},"done":false})",
            R"({"message":{"role":"assistant","content":"Hi","thinking":""},"done":false})",
            R"({"message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","eval_count":3})"});
  EXPECT_EQ(a.record.outcome, Outcome::ok) << a.record.error;
  EXPECT_EQ(a.record.events.size(), 2U);
  EXPECT_EQ(a.record.stamps.first_token, 10);
  EXPECT_EQ(a.record.stamps.first_output, 20);
  EXPECT_EQ(a.record.output_tokens, 3U);
}

/// "ab" and "ba" are one token each, all else one per byte.
std::shared_ptr<const tokenizer::Tokenizer> pairs() {
  return tokenizer::testing::open(tokenizer::testing::file_with({{"a", "b"}, {"b", "a"}}));
}

TEST(EndpointAnswer, ATokenizerCountsTheWholeTextWhereTheServerCountsNothing) {
  MixEntry entry = entry_of("    endpoint: triton-generate-stream\n");
  entry.vocabulary = pairs();
  const std::vector<std::string> events = {R"({"text_output":"a"})", R"({"text_output":"b\u0041"})",
                                           R"({"text_output":"ab"})", R"({"text_output":"!"})"};
  Answer a(entry);
  a.events(events);
  EXPECT_EQ(a.record.outcome, Outcome::ok) << a.record.error;
  EXPECT_EQ(a.record.output_tokens, 4U) << "ab A ab !, though 'a' and 'b' came apart";
  EXPECT_EQ(a.record.token_source, TokenSource::tokenizer);
  entry.vocabulary = nullptr;
  Answer without(entry);
  without.events(events);
  EXPECT_EQ(without.record.token_source, TokenSource::chunks);

  MixEntry whole_entry = entry_of("    endpoint: triton-generate\n    stream: false\n");
  whole_entry.vocabulary = pairs();
  Answer whole(whole_entry);
  whole.whole(R"({"text_output":"abab!"})");
  EXPECT_EQ(whole.record.output_tokens, 3U);
  EXPECT_EQ(whole.record.token_source, TokenSource::tokenizer);
}

TEST(EndpointAnswer, ATokenizerDoesNotCountWhatItCannot) {
  MixEntry counted = entry_of("    endpoint: ollama-generate\n");
  counted.vocabulary = pairs();
  Answer by_server(counted);
  by_server.events({R"({"response":"abab","done":false})", R"({"response":"","done":true,"eval_count":7})"});
  EXPECT_EQ(by_server.record.output_tokens, 7U) << "the server knows better";
  EXPECT_EQ(by_server.record.token_source, TokenSource::server_usage);

  MixEntry growing = entry_of("    endpoint: prompt-max-tokens\n");
  growing.vocabulary = pairs();
  Answer repeated(growing);
  repeated.events({R"({"text":["prompt ab"]})", R"({"text":["prompt abab"]})"});
  EXPECT_EQ(repeated.record.token_source, TokenSource::chunks) << "the prompt is in the text";

  MixEntry chat = entry_of("    route: openai-chat\n");
  chat.vocabulary = pairs();
  Answer reasoning(chat);
  reasoning.events({R"({"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]})",
                    R"({"choices":[{"index":0,"delta":{"content":"ab"}}]})",
                    R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})", "[DONE]"});
  EXPECT_EQ(reasoning.record.token_source, TokenSource::chunks) << "what was thought is not in the text";
  Answer plain(chat);
  plain.events({R"({"choices":[{"index":0,"delta":{"content":"a"}}]})",
                R"({"choices":[{"index":0,"delta":{"content":"b"}}]})",
                R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})", "[DONE]"});
  EXPECT_EQ(plain.record.output_tokens, 1U);
  EXPECT_EQ(plain.record.token_source, TokenSource::tokenizer);
}

TEST(EndpointAnswer, APromptThatIsRepeatedIsNotCounted) {
  MixEntry growing = entry_of("    endpoint: prompt-max-tokens\n    expect: {not_empty: true}\n");
  growing.vocabulary = pairs();
  Answer a(growing);
  a.record.prompt = "ab \"é\"";
  a.events({R"({"text":["ab \"\u00e9\""]})", R"({"text":["ab \"\u00e9\"ab"]})", R"({"text":["ab \"\u00e9\"abab!"]})"});
  EXPECT_EQ(a.record.outcome, Outcome::ok) << a.record.error;
  EXPECT_EQ(a.record.token_source, TokenSource::tokenizer);
  EXPECT_EQ(a.record.output_tokens, 3U) << "ab ab !";
  ASSERT_EQ(a.record.events.size(), 2U) << "the prompt alone is no token";
  EXPECT_EQ(a.record.stamps.first_token, 20);

  Answer silent(growing);
  silent.record.prompt = "ab";
  silent.events({R"({"text":["ab"]})"});
  EXPECT_EQ(silent.record.outcome, Outcome::empty_output);
  Answer other(growing);
  other.record.prompt = "ba";
  other.events({R"({"text":["ab"]})", R"({"text":["abab"]})"});
  EXPECT_EQ(other.record.token_source, TokenSource::chunks) << "where the answer begins is not known";
}

TEST(EndpointAnswer, APromptInFrontOfTheFirstPieceOrAWholeTextIsNotCountedEither) {
  MixEntry triton = entry_of("    endpoint: triton-generate-stream\n");
  triton.vocabulary = pairs();
  Answer streamed(triton);
  streamed.record.prompt = "ab!";
  streamed.events({R"({"text_output":"ab!ab"})", R"({"text_output":"ab!"})"});
  EXPECT_EQ(streamed.record.events.size(), 2U);
  EXPECT_EQ(streamed.record.output_tokens, 3U) << "later pieces are the answer's whatever they are";

  MixEntry whole_entry = entry_of("    endpoint: triton-generate\n    stream: false\n    expect: {matches: '^ba$'}\n");
  whole_entry.vocabulary = pairs();
  Answer whole(whole_entry);
  whole.record.prompt = "ab!";
  whole.whole(R"({"text_output":"ab!ba"})");
  EXPECT_EQ(whole.record.outcome, Outcome::ok) << whole.record.error;
  EXPECT_EQ(whole.record.output_tokens, 1U);
  Answer nothing(whole_entry);
  nothing.record.prompt = "ab!";
  nothing.whole(R"({"text_output":"ab!"})");
  EXPECT_EQ(nothing.record.outcome, Outcome::empty_output);
}

TEST(EndpointAnswer, AStreamWithoutItsWordForTheEndIsTruncated) {
  Answer a(entry_of("    endpoint: ollama-chat\n"));
  a.events({R"({"message":{"role":"assistant","content":"Hi"},"done":false})"});
  EXPECT_EQ(a.record.outcome, Outcome::truncated);
  Answer b(entry_of("    endpoint: sglang-generate\n"));
  b.events({R"({"text":"a","meta_info":{"completion_tokens":1,"finish_reason":{"type":"length"}}})"});
  EXPECT_EQ(b.record.outcome, Outcome::truncated) << "a finish reason is not [DONE]";
}

TEST(EndpointAnswer, TextThatGrowsCountsOnlyWhereItDoes) {
  Answer a(entry_of("    endpoint: sglang-generate\n"));
  a.events({R"({"text":"a","meta_info":{"prompt_tokens":3,"completion_tokens":1,"finish_reason":null}})",
            R"({"text":"abc","meta_info":{"prompt_tokens":3,"completion_tokens":3,"finish_reason":null}})",
            R"({"text":"abc","meta_info":{"prompt_tokens":3,"completion_tokens":3,"finish_reason":{"type":"length"}}})",
            "[DONE]"});
  EXPECT_EQ(a.record.outcome, Outcome::ok) << a.record.error;
  ASSERT_EQ(a.record.events.size(), 2U);
  EXPECT_EQ(a.record.events[0].tokens, 1U);
  EXPECT_EQ(a.record.events[1].tokens, 2U);
  EXPECT_EQ(a.record.output_tokens, 3U);
  EXPECT_EQ(a.record.finish_reason, "length");
}

TEST(EndpointAnswer, WithoutAWordForTheEndTheBodysEndIsIt) {
  Answer a(entry_of("    endpoint: prompt-max-tokens\n"));
  a.events({R"({"text":["p a"]})", R"({"text":["p a b"]})"});
  EXPECT_EQ(a.record.outcome, Outcome::ok) << a.record.error;
  EXPECT_EQ(a.record.output_tokens, 2U);
  EXPECT_EQ(a.record.token_source, TokenSource::chunks);
  Answer none(entry_of("    endpoint: prompt-max-tokens\n"));
  none.events({});
  EXPECT_EQ(none.record.outcome, Outcome::empty_output);
}

TEST(EndpointAnswer, ErrorsAreFoundAtTheirPlace) {
  Answer a(entry_of("    endpoint: triton-generate-stream\n"));
  a.events({R"({"text_output":"x"})", R"({"error":"in ensemble: out of memory"})"});
  EXPECT_EQ(a.record.outcome, Outcome::stream_error_partial);
  EXPECT_EQ(a.record.error, "in ensemble: out of memory");
  Answer b(entry_of("    endpoint: llama-cpp-completion\n"));
  b.events({R"({"error":{"code":500,"message":"no slot","type":"server_error"}})"});
  EXPECT_EQ(b.record.outcome, Outcome::stream_error);
  EXPECT_EQ(b.record.error_type, "server_error");
}

TEST(EndpointAnswer, ReadsWholeBodies) {
  Answer a(entry_of("    endpoint: ollama-generate\n    stream: false\n"));
  a.whole(R"({"model":"m","response":"all of it","done":true,"done_reason":"length","eval_count":7})");
  EXPECT_EQ(a.record.outcome, Outcome::ok) << a.record.error;
  EXPECT_EQ(a.record.output_tokens, 7U);
  Answer b(entry_of("    endpoint: triton-generate\n"));
  b.whole(R"({"model_name":"m","text_output":""})");
  EXPECT_EQ(b.record.outcome, Outcome::empty_output);
  Answer c(entry_of("    endpoint: triton-generate\n"));
  c.whole(R"({"outputs":[]})");
  EXPECT_EQ(c.record.outcome, Outcome::malformed);
}

TEST(EndpointAnswer, FinalUsageOnAFinishChunkIsNoToken) {
  Answer a(entry_of("    route: openai-chat\n"));
  a.events(
      {R"({"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]})",
       R"({"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":null}]})",
       R"({"choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],"usage":{"completion_tokens":2}})",
       "[DONE]"});
  EXPECT_EQ(a.record.events.size(), 2U);
  EXPECT_EQ(a.record.events.back().tokens, 1U) << "two counted in all, two events";
  EXPECT_EQ(a.record.stamps.last_token, 20);
  EXPECT_EQ(a.record.output_tokens, 2U);
}

TEST(EndpointAnswer, OneTokenEachMakesTheCountsTheServers) {
  Answer a(
      entry_of("    endpoint:\n      path: /p\n      body: {q: \"{prompt}\"}\n"
               "      answer: {text: /t, stream: ndjson, one_token_each: true}\n"));
  a.events({R"({"t":"a"})", R"({"t":""})", R"({"t":"b"})"});
  EXPECT_EQ(a.record.output_tokens, 2U);
  EXPECT_EQ(a.record.token_source, TokenSource::server_stream);
}

const std::string length_chunk = R"({"choices":[{"index":0,"delta":{},"finish_reason":"length"}],"model":"m-7b"})";
std::string text_chunk(const std::string& raw) {
  return R"({"model":"m-7b","choices":[{"index":0,"delta":{"content":")" + raw + R"("},"finish_reason":null}]})";
}

Outcome expecting(const std::string& expect, const std::vector<std::string>& texts) {
  Answer a(entry_of("    route: openai-chat\n    expect: " + expect + "\n"));
  std::vector<std::string> events;
  for (const std::string& text : texts) events.push_back(text_chunk(text));
  events.push_back(length_chunk);
  a.events(events);
  EXPECT_EQ(a.record.error.empty(), a.record.outcome == Outcome::ok);
  return a.record.outcome;
}

TEST(Expectation, AnAnswerThatIsNotAsExpectedIsBadContent) {
  EXPECT_EQ(expecting("{not_empty: true}", {"a"}), Outcome::ok);
  EXPECT_EQ(expecting("{not_empty: true}", {" ", "\\n"}), Outcome::bad_content);
  EXPECT_EQ(expecting("{matches: 'plumb line'}", {"a plu", "mb l", "ine"}), Outcome::ok) << "over several events";
  EXPECT_EQ(expecting("{matches: '^\"\\x{4f60}$'}", {"\\\"", "\\u4f60"}), Outcome::ok) << "escapes are read";
  EXPECT_EQ(expecting("{matches: '^b'}", {"a", "b"}), Outcome::bad_content);
  EXPECT_EQ(expecting("{matches: '(a+)+$'}", {std::string(60, 'a') + "b"}), Outcome::bad_content);
  EXPECT_EQ(expecting("{finish_reason: length}", {"a"}), Outcome::ok);
  EXPECT_EQ(expecting("{finish_reason: [stop, eos_token]}", {"a"}), Outcome::bad_content);
  EXPECT_EQ(expecting("{model: m-7b}", {"a"}), Outcome::ok);
  EXPECT_EQ(expecting("{model: m-70b}", {"a"}), Outcome::bad_content);
}

TEST(Expectation, ReadsTheWholeTextOfTgi) {
  for (const auto& [pattern, outcome] : {std::pair{"^ab$", Outcome::ok}, {"^a$", Outcome::bad_content}}) {
    Answer a(entry_of("    route: tgi-stream\n    expect: {matches: '" + std::string(pattern) + "'}\n"));
    a.events(
        {R"({"index":1,"token":{"id":1,"text":"a","special":false},"generated_text":null})",
         R"({"index":2,"token":{"id":2,"text":"</s>","special":true},"generated_text":"ab","details":{"finish_reason":"eos_token","generated_tokens":2}})"});
    EXPECT_EQ(a.record.outcome, outcome);
    Answer b(entry_of("    route: tgi\n    expect: {matches: '" + std::string(pattern) + "'}\n"));
    b.whole(R"({"generated_text":"ab","details":{"finish_reason":"eos_token","generated_tokens":2}})");
    EXPECT_EQ(b.record.outcome, outcome);
  }
}

TEST(Expectation, FailuresStayWhatTheyAre) {
  Answer a(entry_of("    route: openai-chat\n    expect: {not_empty: true}\n"));
  a.events({text_chunk("a"), R"({"error":{"message":"lost"}})"});
  EXPECT_EQ(a.record.outcome, Outcome::stream_error_partial);
}

TEST(AnswerSecrets, WhatHeadersHoldIsMaskedInErrors) {
  MixEntry entry = entry_of("    route: tgi\n    headers: {authorization: Bearer sk-very-secret, x-tenant: abc}\n");
  Answer a(entry);
  a.reader.on_error_body(R"({"error":"key sk-very-secret is unknown to abc","error_type":"sk-very-secret"})", 401);
  EXPECT_EQ(a.record.error, "key *** is unknown to abc");
  EXPECT_EQ(a.record.error_type, "***");
  Answer b(entry);
  b.reader.on_error_body(std::string(150, '-') + "sk-very-secret", 401);
  EXPECT_EQ(b.record.error.find("sk-v"), std::string::npos) << "not even its beginning, where the text is cut";
}

TEST(LineParser, FindsTheSameLinesHoweverTheBytesAreCut) {
  const std::string text = "{\"a\":1}\n\r\n  \n{\"b\":2}\r\n\n{\"c\":\"\xe4\xbd\xa0\"}";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    LineParser parser;
    std::vector<std::string> lines;
    const auto keep = [&](std::string_view line) { lines.emplace_back(line); };
    for (std::size_t at = 0; at < text.size(); at += piece) EXPECT_TRUE(parser.feed(text.substr(at, piece), keep));
    EXPECT_EQ(lines.size(), 2U) << "the last one is not over yet";
    parser.finish(keep);
    EXPECT_EQ(lines, (std::vector<std::string>{"{\"a\":1}", "{\"b\":2}", "{\"c\":\"\xe4\xbd\xa0\"}"})) << piece;
  }
}

TEST(LineParser, RefusesALineOverTheLimit) {
  LineParser parser(10);
  const auto ignore = [](std::string_view) {};
  EXPECT_TRUE(parser.feed("0123456789\n0123", ignore));
  EXPECT_FALSE(parser.feed("4567890", ignore));
  EXPECT_FALSE(parser.feed("\n", ignore)) << "stays so";
  parser.reset();
  EXPECT_TRUE(parser.feed("0\n", ignore));
}

}  // namespace
}  // namespace loadgen
