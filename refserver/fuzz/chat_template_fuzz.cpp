// libFuzzer entry: any bytes as a template and messages end in a prompt or in a Failure with words, within small
// limits. The input is a template, a zero byte, and the messages as JSON; without the second part the messages are two
// turns. Not part of the build (g++ has no libFuzzer). With clang, and a corpus from make_chat_corpus.py:
//   cd refserver/chat; clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -I../..
//   ../fuzz/chat_template_fuzz.cpp \
//     jinja/*.cpp -lfmt -o chat_template_fuzz
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/interpreter.hpp"
#include "refserver/chat/jinja/parser.hpp"
#include "refserver/chat/jinja/resolver.hpp"
#include "refserver/chat/jinja/text.hpp"

namespace jinja = refserver::jinja;
using nlohmann::ordered_json;

namespace {

constexpr jinja::Limits kLimits{.max_steps = 50'000,
                                .max_output_bytes = 1U << 20U,
                                .max_value_bytes = 1U << 20U,
                                .max_allocated_bytes = 16U << 20U};

const ordered_json kMessages = {{{"role", "system"}, {"content", " Be brief. "}},
                                {{"role", "user"}, {"content", "Hé 你好\n"}}};

std::string render(std::string_view text, const ordered_json& messages) {
  jinja::Template parsed = jinja::parse(text, kLimits);
  jinja::resolve(parsed, kLimits);
  jinja::Budget budget(kLimits);
  jinja::Variables variables;
  variables.emplace_back("messages", jinja::from_json(budget, messages));
  variables.emplace_back("tools", jinja::from_json(budget, messages));
  variables.emplace_back("add_generation_prompt", jinja::Value(true));
  variables.emplace_back("bos_token", jinja::make_text_uncounted("<s>"));
  jinja::Interpreter interpreter(budget, std::move(variables), {});
  return interpreter.run(parsed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view text = input.substr(0, input.find('\0'));
  if (!jinja::is_utf8(text)) return 0;  // ChatTemplate refuses it before
  ordered_json messages = kMessages;
  if (text.size() < size) messages = ordered_json::parse(input.substr(text.size() + 1), nullptr, false);
  if (messages.is_discarded()) return 0;
  try {
    if (!jinja::is_utf8(render(text, messages))) std::abort();
  } catch (const jinja::Failure& failure) {
    // raise_exception may be given an empty text; everything else has words.
    if (failure.text().empty() && text.find("raise_exception") == std::string_view::npos) std::abort();
    if (!jinja::is_utf8(failure.text())) std::abort();
  }
  return 0;
}
