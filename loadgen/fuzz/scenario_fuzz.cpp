// libFuzzer entry: any bytes as a scenario file end in a scenario or in errors, never in a crash, a hang or an
// exception. Not part of the build (g++ has no libFuzzer). With clang, from the project root:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -I. loadgen/fuzz/scenario_fuzz.cpp \
//     loadgen/plan/*.cpp exporters/metrics/*.cpp exporters/*.cpp build/release/loadgen/embedded/*_*.cpp \
//     build/release/tokenizer/libplumbline_tokenizer.a -lcurl -lz -lfmt -lyaml-cpp -lpcre2-8 -o scenario_fuzz
//   (the tokenizer and the embedded endpoint templates come from a build)
//   ./scenario_fuzz -max_len=65536 -timeout=10 CORPUS scenarios scenarios/endpoints loadgen/fuzz/seeds/scenario
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "loadgen/plan/render_plan.hpp"
#include "loadgen/plan/scenario_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  loadgen::ScenarioFlags flags;
  if (size % 2 == 1) {  // half of the inputs meet flags that write into them
    flags.target = "http://127.0.0.1:1";
    flags.rate = "5";
    flags.timeout = "5s";
    flags.max_new_tokens = "5";
    flags.gates = {"qps > 1"};
  }
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto scenario = loadgen::parse_scenario(text, "fuzz", {}, flags);
  const std::string shown = scenario ? loadgen::render_plan(*scenario) : loadgen::errors_text(scenario.error());
  if (shown.empty()) std::abort();
  return 0;
}
