// What one request and one token cost the I/O thread outside of system calls.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "refserver/api/answer_format.hpp"
#include "refserver/api/read_request.hpp"
#include "refserver/api/validate.hpp"

namespace refserver {
namespace {

const std::vector<ModelInfo> kModels = {{.name = "qwen2", .served_name = "Qwen2-7B-Instruct-GPTQ-Int4"}};

std::string body_of(std::size_t prompt_bytes) {
  std::string prompt;
  while (prompt.size() < prompt_bytes) prompt += "What is Deep Learning? ";
  return R"({"inputs":")" + prompt + R"(","parameters":{"max_new_tokens":64,"temperature":0.7,"top_p":0.9}})";
}

void ReadAndValidate(benchmark::State& state) {
  const Validator validator(kModels, {});
  const std::string body = body_of(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    auto request = read_request(Route::generate_stream, body);
    auto prepared = validator.prepare(std::move(*request));
    auto valid = validator.validate(prepared->front(), 1);
    if (!valid || valid->request.max_new_tokens != 64) std::abort();
    benchmark::DoNotOptimize(valid);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * body.size()));
}
BENCHMARK(ReadAndValidate)->Arg(100)->Arg(2000)->Arg(20000);

void FormatEvent(benchmark::State& state) {
  AnswerShape shape;
  shape.route = static_cast<Route>(state.range(0));
  shape.is_stream = true;
  shape.reported_model = kModels[0].served_name;
  const auto format = make_stream_format(shape);
  SseBuffer out(Framing::chunked);
  TokenEvent event;
  event.index = 17;
  event.token = {17, " t17", -0.125F, false};
  for (auto _ : state) {
    format->append(event, 1735689600, out);
    if (out.bytes().find("t17") == std::string::npos) std::abort();
    out.bytes().clear();
  }
  state.SetLabel(std::string(label(shape.route)));
}
BENCHMARK(FormatEvent)
    ->Arg(static_cast<int>(Route::generate_stream))
    ->Arg(static_cast<int>(Route::chat))
    ->Arg(static_cast<int>(Route::completions));

}  // namespace
}  // namespace refserver
