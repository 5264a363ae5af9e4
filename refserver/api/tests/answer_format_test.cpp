// Answers byte for byte, whole and streamed, on every route.
#include "refserver/api/answer_format.hpp"

#include <gtest/gtest.h>

#include <string>

#include "refserver/tests/pipeline.hpp"

namespace refserver {
namespace {

TEST(NativeAnswer, Whole) {
  EXPECT_EQ(answer_to(Route::generate, R"({"inputs":"a","parameters":{"max_new_tokens":2}})"),
            R"({"generated_text":" t1 t2"})");
  EXPECT_EQ(answer_to(Route::compat, R"({"inputs":"a","parameters":{"max_new_tokens":2}})"),
            R"([{"generated_text":"a t1 t2"}])");
  EXPECT_EQ(answer_to(Route::compat, R"({"inputs":"a","parameters":{"max_new_tokens":2,"return_full_text":false}})"),
            R"([{"generated_text":" t1 t2"}])");
}

TEST(NativeAnswer, WholeWithDetails) {
  EXPECT_EQ(
      answer_to(Route::generate,
                R"({"inputs":"a","parameters":{"max_new_tokens":2,"details":true,"do_sample":true,"seed":7}})"),
      R"({"generated_text":" t1 t2","details":{"finish_reason":"length","generated_tokens":2,"seed":7,"prefill":[],)"
      R"("tokens":[{"id":1,"text":" t1","logprob":-0.125,"special":false},)"
      R"({"id":2,"text":" t2","logprob":-0.125,"special":false}]}})");
}

TEST(NativeAnswer, Stream) {
  EXPECT_EQ(answer_to(Route::generate_stream, R"({"inputs":"a b","parameters":{"max_new_tokens":2,"details":true}})"),
            "data: {\"index\":1,\"token\":{\"id\":1,\"text\":\" t1\",\"logprob\":-0.125,\"special\":false},"
            "\"generated_text\":null,\"details\":null}\n\n"
            "data: {\"index\":2,\"token\":{\"id\":2,\"text\":\" t2\",\"logprob\":-0.125,\"special\":false},"
            "\"generated_text\":\" t1 t2\",\"details\":{\"finish_reason\":\"length\",\"generated_tokens\":2,"
            "\"seed\":null,\"input_length\":2}}\n\n");
}

TEST(NativeAnswer, StopSequenceStaysInTheText) {
  EXPECT_EQ(answer_to(Route::generate, R"({"inputs":"a","parameters":{"stop":["t3"],"details":false}})"),
            R"({"generated_text":" t1 t2 t3"})");
}

TEST(ChatAnswer, Whole) {
  EXPECT_EQ(answer_to(Route::chat, R"({"messages":[{"role":"user","content":"Hi"}],"max_tokens":2,"logprobs":true})"),
            R"({"object":"chat.completion","id":"","created":1735689600,"model":"Qwen2-7B-Instruct-GPTQ-Int4",)"
            R"("system_fingerprint":"3.3.7-plumbline-native","choices":[{"index":0,"message":{"role":"assistant",)"
            R"("content":" t1 t2"},"logprobs":{"content":[{"token":" t1","logprob":-0.125,"top_logprobs":[]},)"
            R"({"token":" t2","logprob":-0.125,"top_logprobs":[]}]},"finish_reason":"length"}],)"
            R"("usage":{"prompt_tokens":20,"completion_tokens":2,"total_tokens":22}})");
}

TEST(ChatAnswer, StreamWithUsage) {
  const std::string head =
      "data: {\"object\":\"chat.completion.chunk\",\"id\":\"\",\"created\":1735689600,"
      "\"model\":\"llama3\",\"system_fingerprint\":\"3.3.7-plumbline-native\",\"choices\":[";
  EXPECT_EQ(answer_to(Route::chat, R"({"model":"llama3","messages":[{"role":"user","content":"Hi"}],"max_tokens":2,
                                       "stream":true,"stream_options":{"include_usage":true}})"),
            head +
                "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\" t1\"},\"logprobs\":null,"
                "\"finish_reason\":null}],\"usage\":null}\n\n" +
                head +
                "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\" t2\"},\"logprobs\":null,"
                "\"finish_reason\":\"length\"}],\"usage\":null}\n\n" +
                head +
                "],\"usage\":{\"prompt_tokens\":35,\"completion_tokens\":2,\"total_tokens\":37}}\n\n"
                "data: [DONE]\n\n");
}

TEST(CompletionAnswer, WholeAndStream) {
  EXPECT_EQ(answer_to(Route::completions, R"({"prompt":"Hi","max_tokens":1})"),
            R"({"object":"text_completion","id":"","created":1735689600,"model":"Qwen2-7B-Instruct-GPTQ-Int4",)"
            R"("system_fingerprint":"3.3.7-plumbline-native","choices":[{"index":0,"text":" t1","logprobs":null,)"
            R"("finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}})");
  EXPECT_EQ(answer_to(Route::completions, R"({"prompt":["Hi"],"stop":["t2"],"stream":true})"),
            "data: {\"object\":\"text_completion\",\"id\":\"\",\"created\":1735689600,\"choices\":[{\"index\":0,"
            "\"text\":\" t1\",\"logprobs\":null,\"finish_reason\":\"\"}],\"model\":\"Qwen2-7B-Instruct-GPTQ-Int4\","
            "\"system_fingerprint\":\"3.3.7-plumbline-native\"}\n\n"
            "data: {\"object\":\"text_completion\",\"id\":\"\",\"created\":1735689600,"
            "\"model\":\"Qwen2-7B-Instruct-GPTQ-Int4\",\"system_fingerprint\":\"3.3.7-plumbline-native\","
            "\"choices\":[{\"index\":0,\"text\":\" t2\",\"logprobs\":null,\"finish_reason\":\"stop_sequence\"}],"
            "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}\n\ndata: [DONE]\n\n");
}

TEST(AnswerFormat, SpecialTokensAreLeftOutOfTextsButNotOfCompletionStreams) {
  TokenEvent eos;
  eos.index = 1;
  eos.token = {2, "</s>", -0.5F, true};
  eos.finish = FinishReason::eos_token;
  AnswerShape shape;
  shape.is_stream = true;
  const auto stream_of = [&](Route route) {
    shape.route = route;
    SseBuffer out(Framing::plain);
    make_stream_format(shape)->append(eos, kTestSeconds, out);
    return out.bytes();
  };
  EXPECT_NE(stream_of(Route::generate_stream).find(R"("special":true},"generated_text":"",)"), std::string::npos);
  EXPECT_NE(stream_of(Route::chat).find(R"("content":""},"logprobs":null,"finish_reason":"stop")"), std::string::npos);
  EXPECT_NE(stream_of(Route::completions).find(R"("text":"</s>","logprobs":null,"finish_reason":"eos_token")"),
            std::string::npos);
}

TEST(StreamError, NativeAndOpenAiShapes) {
  SseBuffer native(Framing::plain);
  append_stream_error(Route::generate_stream, Dialect::extended, {ErrorType::overloaded, "Model is overloaded"},
                      native);
  EXPECT_EQ(native.bytes(), "data: {\"error\":\"Model is overloaded\",\"error_type\":\"overloaded\"}\n\n");
  SseBuffer openai(Framing::plain);
  append_stream_error(Route::chat, Dialect::extended, {ErrorType::overloaded, "Model is overloaded"}, openai);
  append_stream_error(Route::completions, Dialect::strict_tgi, {ErrorType::overloaded, "Model is overloaded"}, openai);
  append_stream_end(Route::chat, openai);
  append_stream_end(Route::generate_stream, openai);
  EXPECT_EQ(openai.bytes(),
            "data: {\"error\":{\"message\":\"Model is overloaded\",\"http_status_code\":429}}\n\n"
            "data: {\"error\":{\"message\":\"Model is overloaded\",\"http_status_code\":422}}\n\ndata: [DONE]\n\n");
}

TEST(SseBuffer, EachEventIsOneChunk) {
  SseBuffer out(Framing::chunked);
  out.add_event("abc");
  out.add_event(std::string(20, 'x'));
  out.add_keep_alive();
  out.finish();
  EXPECT_EQ(out.bytes(), "B\r\ndata: abc\n\n\r\n1C\r\ndata: xxxxxxxxxxxxxxxxxxxx\n\n\r\n3\r\n:\n\n\r\n0\r\n\r\n");
}

TEST(ServerAnswers, InfoModelsAndErrors) {
  EXPECT_EQ(make_info(test_models()[0], {}, {128, 2}),
            R"({"model_id":"Qwen2-7B-Instruct-GPTQ-Int4","model_sha":null,"model_pipeline_tag":null,)"
            R"("max_concurrent_requests":128,"max_best_of":2,"max_stop_sequences":4,"max_input_tokens":32767,)"
            R"("max_total_tokens":32768,"validation_workers":2,"max_client_batch_size":4,)"
            R"("router":"plumbline-refserver","version":"3.3.7-plumbline","sha":null,"docker_label":null})");
  EXPECT_EQ(make_info({.name = "m", .served_name = "org/model", .max_input_tokens = 4095, .max_total_tokens = 4096},
                      {.dialect = Dialect::strict_tgi}, {128, 2}),
            R"({"model_id":"org/model","model_sha":null,"model_pipeline_tag":null,"max_concurrent_requests":128,)"
            R"("max_best_of":2,"max_stop_sequences":4,"max_input_tokens":4095,"max_total_tokens":4096,)"
            R"("validation_workers":2,"max_client_batch_size":4,"router":"text-generation-router",)"
            R"("version":"3.3.6-dev0","sha":null,"docker_label":null})");
  EXPECT_EQ(make_model_list({test_models().data(), 1}),
            R"({"object":"list","data":[{"id":"Qwen2-7B-Instruct-GPTQ-Int4","object":"model","created":0,)"
            R"("owned_by":"Qwen2-7B-Instruct-GPTQ-Int4"}]})");
  EXPECT_EQ(http_status(ErrorType::overloaded), 429);
  EXPECT_EQ(make_error_body({ErrorType::body_malformed, "text"}).content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(make_error_body({ErrorType::overloaded, "Model is overloaded"}).body,
            R"({"error":"Model is overloaded","error_type":"overloaded"})");
}

}  // namespace
}  // namespace refserver
