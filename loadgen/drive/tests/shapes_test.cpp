// The wires of servers as their versions really differ, each whole: how many token events, how many tokens and from
// where they are known, how the answer ended.
#include <gtest/gtest.h>

#include "loadgen/drive/exchange.hpp"

namespace loadgen {
namespace {

struct Shape {
  const char* name;
  Route route;
  std::string body;
  std::size_t events;
  std::uint32_t tokens;
  TokenSource source;
  const char* finish_reason;
};

std::string sse(const std::vector<std::string>& events, const std::string& prefix = "data: ") {
  std::string body;
  for (const std::string& event : events) body += prefix + event + "\n\n";
  return body;
}

std::string tgi(const std::string& index, const std::string& rest) {
  return "{" + index + R"("token":{"id":5,"text":" a","logprob":-0.25,"special":false},)" + rest + "}";
}
std::string chat(const std::string& delta, const std::string& finish, const std::string& more = "") {
  return R"({"object":"chat.completion.chunk","id":"","created":1,"model":"m","system_fingerprint":"s","choices":[{"index":0,"delta":)" +
         delta + R"(,"logprobs":null,"finish_reason":)" + finish + "}]" + more + "}";
}
const std::string word = R"({"role":"assistant","content":" a"})";
const std::string usage2 = R"(,"usage":{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6})";

const std::vector<Shape> shapes = {
    {"TGI 1.0: no index, no space", Route::tgi_stream,
     sse({tgi("", R"("generated_text":null,"details":null)"),
          tgi("", R"("generated_text":" a a","details":{"finish_reason":"length","generated_tokens":2,"seed":null})")},
         "data:"),
     2, 2, TokenSource::server_usage, "length"},
    {"TGI 1.4 and 2.0: index, no space", Route::tgi_stream,
     sse({tgi(R"("index":1,)", R"("generated_text":null,"details":null)"),
          tgi(R"("index":2,)", R"("generated_text":" a a","details":null)")},
         "data:"),
     2, 2, TokenSource::server_stream, ""},
    {"TGI 2.3 to 3.3: a space, input_length, top_tokens, keep-alives", Route::tgi_stream,
     ":\n\n" +
         sse({tgi(R"("index":1,)", R"("top_tokens":[{"id":1,"text":"x"}],"generated_text":null,"details":null)"),
              tgi(R"("index":2,)",
                  R"("generated_text":" a a","details":{"finish_reason":"eos_token","generated_tokens":2,"seed":7,"input_length":4})")}),
     2, 2, TokenSource::server_usage, "eos_token"},
    {"TGI 1.4 chat: no usage, no [DONE], eos_token", Route::openai_chat,
     sse({chat(word, "null"), chat(word, "\"eos_token\"")}, "data:"), 2, 2, TokenSource::chunks, "eos_token"},
    {"TGI 2.3 chat: usage on the finishing chunk, then [DONE]", Route::openai_chat,
     sse({chat(word, "null", R"(,"usage":null)"), chat(word, "null", R"(,"usage":null)"),
          chat(R"({"role":"assistant","content":""})", "\"stop\"", usage2), "[DONE]"}),
     2, 2, TokenSource::server_usage, "stop"},
    {"TGI 2.3 chat: usage on a finishing chunk that is a token as well", Route::openai_chat,
     sse({chat(word, "null", R"(,"usage":null)"), chat(word, "\"length\"", usage2), "[DONE]"}), 2, 2,
     TokenSource::server_usage, "length"},
    {"TGI 3.3 chat: usage in a chunk of its own", Route::openai_chat,
     sse({chat(word, "null", R"(,"usage":null)"), chat(word, "\"length\"", R"(,"usage":null)"),
          R"({"object":"chat.completion.chunk","choices":[])" + usage2 + "}", "[DONE]"}),
     2, 2, TokenSource::server_usage, "length"},
    {"TGI before 3.2: a tool call as an object", Route::openai_chat,
     sse({chat(
              R"({"role":"assistant","tool_calls":{"index":0,"id":"","type":"function","function":{"name":"f","arguments":"{"}}})",
              "null"),
          chat(
              R"({"role":"assistant","tool_calls":{"index":0,"id":"","type":"function","function":{"name":null,"arguments":"}"}}})",
              "\"stop\""),
          "[DONE]"}),
     2, 2, TokenSource::chunks, "stop"},
    {"TGI completions: finish_reason is an empty text until the end", Route::openai_completions,
     sse({R"({"object":"text_completion","choices":[{"index":0,"text":" a","logprobs":null,"finish_reason":""}]})",
          R"({"object":"text_completion","choices":[{"index":0,"text":" a","logprobs":null,"finish_reason":"length"}])" +
              usage2 + "}",
          "[DONE]"}),
     2, 2, TokenSource::server_usage, "length"},
    {"vLLM chat: role first, running usage, held-back text", Route::openai_chat,
     sse({chat(R"({"role":"assistant","content":""})", "null", R"(,"usage":{"prompt_tokens":4,"completion_tokens":0})"),
          chat(R"({"content":"a"})", "null", R"(,"usage":{"prompt_tokens":4,"completion_tokens":1})"),
          chat(R"({"content":""})", "null", R"(,"usage":{"prompt_tokens":4,"completion_tokens":3})"),
          chat(R"({"content":"b"})", "\"length\"", R"(,"usage":{"prompt_tokens":4,"completion_tokens":5})"),
          R"({"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":5}})", "[DONE]"}),
     3, 5, TokenSource::server_usage, "length"},
    {"a reasoning model: reasoning, then content", Route::openai_chat,
     sse({chat(R"({"role":"assistant","content":null,"reasoning_content":""})", "null"),
          chat(R"({"reasoning_content":"hm"})", "null"), chat(R"({"reasoning":"so"})", "null"),
          chat(R"({"content":"a"})", "\"stop\""), "[DONE]"}),
     3, 3, TokenSource::chunks, "stop"},
    {"OpenAI: obfuscation, refusal, null fields", Route::openai_chat,
     sse({R"({"id":"c","service_tier":"default","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"x"})",
          R"({"id":"c","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}],"usage":null,"obfuscation":"xy"})",
          R"({"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null,"obfuscation":""})",
          R"({"id":"c","choices":[],"usage":{"prompt_tokens":4,"completion_tokens":1,"completion_tokens_details":{"reasoning_tokens":0}}})",
          "[DONE]"}),
     1, 1, TokenSource::server_usage, "stop"},
};

TEST(Shapes, OfEveryServerGiveTheSameNumbersHoweverTheyAreCut) {
  for (const Shape& shape : shapes) {
    const std::string bytes = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + shape.body;
    for (const std::size_t piece : {bytes.size(), std::size_t{100}, std::size_t{7}, std::size_t{1}}) {
      MixEntry entry;
      entry.route = shape.route;
      Exchange x;
      x.prepare(entry, Timeouts{});
      x.on_sending(1);
      x.on_sent(2);
      std::int64_t at = 10;
      for (std::size_t from = 0; from < bytes.size(); from += piece, ++at)
        x.on_bytes(std::string_view(bytes).substr(from, piece), {at, at, true});
      x.on_closed(0, {}, at);
      const RequestRecord& record = x.record;
      EXPECT_EQ(label(record.outcome), "ok") << shape.name << ": " << record.error;
      EXPECT_EQ(record.events.size(), shape.events) << shape.name;
      EXPECT_EQ(record.output_tokens, shape.tokens) << shape.name;
      EXPECT_EQ(label(record.token_source), label(shape.source)) << shape.name;
      EXPECT_EQ(record.finish_reason, shape.finish_reason) << shape.name;
    }
  }
}

}  // namespace
}  // namespace loadgen
