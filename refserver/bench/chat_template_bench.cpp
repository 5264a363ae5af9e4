// What a conversation of ten turns costs to render, and a template to load.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "refserver/chat/chat_template.hpp"

namespace refserver {
namespace {

using nlohmann::ordered_json;

const char* const kFamilies[] = {"qwen2", "qwen2.5", "llama3"};

/// A system message and ten turns of about 200 bytes.
ordered_json make_conversation() {
  ordered_json messages = {{{"role", "system"}, {"content", "You answer questions accurately and briefly."}}};
  for (int i = 0; i < 10; ++i) {
    std::string content = "Turn " + std::to_string(i) + ":";
    while (content.size() < 200) content += " What is a plumb line?";
    messages.push_back({{"role", i % 2 == 0 ? "user" : "assistant"}, {"content", content}});
  }
  return messages;
}

void RenderTenTurns(benchmark::State& state) {
  const auto chat_template = ChatTemplate::built_in(kFamilies[state.range(0)]);
  const ordered_json messages = make_conversation();
  const ChatInput input{.messages = messages};
  const auto checked = (*chat_template)->render(input);
  if (!checked || checked->find("Turn 9:") == std::string::npos) std::abort();
  for (auto _ : state) {
    auto prompt = (*chat_template)->render(input);
    if (prompt->size() != checked->size()) std::abort();
    benchmark::DoNotOptimize(prompt);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * checked->size()));
  state.SetLabel(kFamilies[state.range(0)]);
}
BENCHMARK(RenderTenTurns)->DenseRange(0, 2);

void LoadTemplate(benchmark::State& state) {
  for (auto _ : state) {
    auto chat_template = ChatTemplate::built_in(kFamilies[state.range(0)]);
    if (!chat_template) std::abort();
    benchmark::DoNotOptimize(chat_template);
  }
  state.SetLabel(kFamilies[state.range(0)]);
}
BENCHMARK(LoadTemplate)->DenseRange(0, 2);

}  // namespace
}  // namespace refserver
