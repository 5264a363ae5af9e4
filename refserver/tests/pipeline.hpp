// Test support: a body through reading, validation, the simulated engine with a hand-moved clock, and formatting.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "refserver/api/answer_format.hpp"
#include "refserver/api/read_request.hpp"
#include "refserver/api/server_answers.hpp"
#include "refserver/api/validate.hpp"
#include "refserver/model_runtime.hpp"
#include "refserver/models.hpp"
#include "refserver/schedule/device.hpp"

namespace refserver {

inline constexpr std::int64_t kTestSeconds = 1735689600;  ///< what `created` shows
inline constexpr std::uint64_t kTestSeed = 42;

/// Both models with the built-in tokenizers and chat templates.
inline const std::vector<ModelInfo>& test_models() {
  static const std::vector<ModelInfo> models = [] {
    std::vector<ModelInfo> both = {
        {.name = "qwen2", .served_name = "Qwen2-7B-Instruct-GPTQ-Int4"},
        {.name = "llama3", .served_name = "Meta-Llama-3.1-8B-Instruct-GPTQ-INT4"},
    };
    for (ModelInfo& model : both) load_texts(model, "");
    return both;
  }();
  return models;
}

/// How many tokens a raw prompt has, by the tokenizer itself.
inline std::size_t prompt_tokens(std::string_view text, std::size_t model = 0) {
  return test_models()[model].tokenizer->count(text);
}

inline Validator test_validator(Dialect dialect = Dialect::extended) {
  return Validator(test_models(), {.dialect = dialect});
}

/// Reads, prepares and validates the only generation a body asks for; the error of whichever step refuses.
inline Result<ValidatedRequest, Error> validated(Route route, const std::string& body,
                                                 Dialect dialect = Dialect::extended) {
  auto request = read_request(route, body, dialect);
  if (!request) return request.error();
  const Validator validator = test_validator(dialect);
  auto prepared = validator.prepare(std::move(*request));
  if (!prepared) return prepared.error();
  EXPECT_EQ(prepared->size(), 1U);
  if (auto error = validator.refuse_before_permit(prepared->front())) return *error;
  return validator.validate(prepared->front(), kTestSeed);
}

/// A simulated engine behind a scheduler, for every model of a test. 100 ms to the first token, then one every 20 ms.
struct TestTiming {
  std::chrono::nanoseconds ttft = std::chrono::milliseconds(100);
  std::chrono::nanoseconds gap = std::chrono::milliseconds(20);
};
inline std::vector<ModelRuntime> test_runtimes(TestTiming timing = {}, const SchedulerSettings& settings = {},
                                               std::uint32_t max_concurrent_requests = 128) {
  ServerConfig config;
  config.models = test_models();
  config.scheduler = settings;
  config.http.max_concurrent_requests = max_concurrent_requests;
  for (const ModelInfo& model : config.models) {
    config.engines.push_back({.model = model.name, .ttft = timing.ttft, .gap = timing.gap});
    config.weights.push_back(1);
    config.kv_token_bytes.push_back(0);
  }
  return make_runtimes(config);
}

/// Every token of a request, with the clock moved from deadline to deadline.
inline std::vector<TokenEvent> all_tokens(ValidRequest request) {
  const std::vector<ModelRuntime> runtimes = test_runtimes();
  Device device(on_device(runtimes));
  RequestSpec spec;
  spec.id = 1;
  spec.prompt = request.prompt_ids;
  spec.max_new_tokens = request.max_new_tokens;
  spec.min_new_tokens = request.min_new_tokens;
  spec.ignores_eos = request.ignore_eos;
  spec.stop = request.stop;
  spec.top_n_tokens = request.top_n_tokens;
  TimePoint now{};
  EXPECT_FALSE(device.add(request.model, std::move(spec), now));
  StepEvents events;
  while (const auto next = device.advance(now, events)) now = std::max(now, *next);
  return events.tokens;
}

/// The answer's body: JSON, an error body, or the bytes of a stream without HTTP chunks.
inline std::string answer_to(Route route, const std::string& body, Dialect dialect = Dialect::extended) {
  auto valid = validated(route, body, dialect);
  if (!valid) return make_error_body(valid.error()).body;
  const std::vector<TokenEvent> tokens = all_tokens(std::move(valid->request));
  if (valid->shape.is_stream) {
    SseBuffer out(Framing::plain);
    const auto format = make_stream_format(valid->shape);
    for (const TokenEvent& token : tokens) format->append(token, kTestSeconds, out);
    append_stream_end(valid->shape.route, out);
    return out.bytes();
  }
  CollectedAnswer answer(valid->shape);
  for (const TokenEvent& token : tokens) answer.add(token);
  const CollectedAnswer* const parts[] = {&answer};
  return make_whole_body(parts, kTestSeconds);
}

/// A file below refserver/tests/golden/, without its last line end.
inline std::string golden(const std::string& name) {
  std::ifstream file(PLUMBLINE_SOURCE_DIR "/refserver/tests/golden/" + name, std::ios::binary);
  EXPECT_TRUE(file) << "golden file missing: " << name;
  std::stringstream text;
  text << file.rdbuf();
  std::string out = text.str();
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

}  // namespace refserver
