// How fast texts become ids and ids text. PLUMBLINE_TOKENIZER names a tokenizer.json or its folder, PLUMBLINE_TEXTS a
// file with a JSON string on each line; without them the small Llama 3 test tokenizer meets the prompts beside it (run
// from the project root). One iteration is one pass over all texts; bytes are those of the texts.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tokenizer/incremental_decoder.hpp"
#include "tokenizer/tokenizer.hpp"

namespace tokenizer {
namespace {

constexpr EncodeOptions kPlainIds{SpecialTokens::omit, TokenText::recognise};

[[noreturn]] void stop(const std::string& why) {
  std::fprintf(stderr, "tokenizer_bench: %s\n", why.c_str());
  std::exit(1);
}

std::string setting(const char* name, const char* otherwise) {
  const char* const value = std::getenv(name);
  return value ? value : otherwise;
}

std::vector<std::string> read_texts() {
  const std::string path = setting("PLUMBLINE_TEXTS", "");
  const bool is_json = !path.empty();
  std::ifstream file(is_json ? path : "tokenizer/tests/data/corpus/prompts.txt");
  std::vector<std::string> texts;
  for (std::string line; std::getline(file, line);) {
    texts.push_back(is_json ? nlohmann::json::parse(line).get<std::string>() : line);
  }
  if (texts.empty()) stop("no texts in " + (is_json ? path : "tokenizer/tests/data/corpus/prompts.txt"));
  return texts;
}

/// What every benchmark here works on; its ids were decoded and encoded again before anything is timed.
struct Material {
  std::shared_ptr<const Tokenizer> tokenizer;
  std::vector<std::string> texts;
  std::vector<std::vector<TokenId>> ids;
  std::size_t bytes = 0;

  static const Material& instance() {
    static const Material material;
    return material;
  }

 private:
  Material() : texts(read_texts()) {
    auto opened = Tokenizer::from_file(setting("PLUMBLINE_TOKENIZER", "tokenizer/tests/data/llama3"));
    if (!opened) stop(opened.error().text);
    tokenizer = *opened;
    for (const std::string& text : texts) {
      ids.push_back(tokenizer->encode(text, kPlainIds));
      bytes += text.size();
      if (tokenizer->encode(tokenizer->decode(ids.back(), SpecialText::keep), kPlainIds) != ids.back()) {
        stop("these ids do not come back from their text: " + text.substr(0, 200));
      }
    }
  }
};

/// Times `pass` over the texts.
template <class Pass>
void time_passes(benchmark::State& state, Pass pass) {
  const Material& material = Material::instance();
  for (auto _ : state) pass(material);
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * material.bytes));
}

void encode(benchmark::State& state) {
  std::vector<TokenId> ids;
  time_passes(state, [&ids](const Material& material) {
    for (const std::string& text : material.texts) {
      ids.clear();
      material.tokenizer->encode(text, {}, ids);
      benchmark::DoNotOptimize(ids.data());
    }
  });
}
BENCHMARK(encode)->Unit(benchmark::kMicrosecond);

void encode_spans(benchmark::State& state) {
  time_passes(state, [](const Material& material) {
    for (const std::string& text : material.texts) benchmark::DoNotOptimize(material.tokenizer->encode_spans(text));
  });
}
BENCHMARK(encode_spans)->Unit(benchmark::kMicrosecond);

void decode(benchmark::State& state) {
  time_passes(state, [](const Material& material) {
    for (const auto& ids : material.ids) benchmark::DoNotOptimize(material.tokenizer->decode(ids));
  });
}
BENCHMARK(decode)->Unit(benchmark::kMicrosecond);

void decode_token_by_token(benchmark::State& state) {
  time_passes(state, [](const Material& material) {
    for (const auto& ids : material.ids) {
      IncrementalDecoder decoder(*material.tokenizer);
      for (const TokenId id : ids) benchmark::DoNotOptimize(decoder.push(id));
    }
  });
}
BENCHMARK(decode_token_by_token)->Unit(benchmark::kMicrosecond);

/// The worst case there is: one piece that is no token. Time per byte must not grow with its length.
void one_letter(benchmark::State& state) {
  const Material& material = Material::instance();
  const std::string text(static_cast<std::size_t>(state.range(0)), 'a');
  for (auto _ : state) benchmark::DoNotOptimize(material.tokenizer->encode(text));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(one_letter)->RangeMultiplier(32)->Range(32, 1 << 20)->Unit(benchmark::kMicrosecond);

void load(benchmark::State& state) {
  const std::string path = setting("PLUMBLINE_TOKENIZER", "tokenizer/tests/data/llama3");
  for (auto _ : state) benchmark::DoNotOptimize(Tokenizer::from_file(path));
}
BENCHMARK(load)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tokenizer
