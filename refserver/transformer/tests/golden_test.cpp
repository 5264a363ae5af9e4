// Made-up models against what transformers and torch computed for the same files
// (tests/golden/make_transformer_goldens.py): logits of every position, and 64 tokens of greedy continuation through
// the scheduler.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kernels/cpu/cpu_backend.hpp"
#include "kernels/reference/reference_backend.hpp"
#include "refserver/transformer/tests/tiny_model.hpp"

namespace refserver {
namespace {

using nlohmann::json;

constexpr float kTolerance = 1e-4F;

json read_golden(const std::string& name) {
  const std::string path = std::string(PLUMBLINE_SOURCE_DIR) + "/tests/golden/transformer/" + name + ".json";
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return json::parse(file);
}

SynthOptions options_of(const json& synth) {
  SynthOptions options = tiny_options(synth["arch"] == "llama" ? Architecture::llama : Architecture::qwen2);
  options.quant = synth["quant"] == "none" ? SynthQuant::none : SynthQuant::gptq;
  options.dtype = synth.value("dtype", "float16") == "float32" ? Dtype::f32 : Dtype::f16;
  options.seed = synth["seed"];
  options.bits = synth.value("bits", 4U);
  options.group_size = synth.value("group_size", std::size_t{128});
  if (synth.contains("desc_act")) options.desc_act = synth["desc_act"].get<bool>();
  options.sym = !synth.value("asym", false);
  if (synth.value("tie", false)) options.tie_embeddings = true;
  options.quantize_lm_head = synth.value("head", false);
  return options;
}

struct GoldenCase {
  const char* name;
  bool is_reference;
};

class Golden : public ::testing::TestWithParam<GoldenCase> {
 protected:
  std::shared_ptr<kernels::Backend> backend() const {
    if (GetParam().is_reference) return kernels::make_reference_backend();
    return *make_backend({.name = "", .precision = kernels::Precision::exact, .threads = 1});
  }
};

/// Computes a prompt in pieces of up to 48 tokens and compares each position.
void compare_logits(const json& prompt, Transformer& transformer) {
  const std::vector<std::int32_t> ids = prompt["ids"];
  const std::vector<std::size_t> columns = prompt["columns"];
  const std::vector<std::vector<float>> expected = prompt["logits"];
  const auto last = prompt.value("last", std::vector<float>());
  const std::vector<std::size_t> best = prompt["best"];
  std::vector<std::int32_t> table(ids.size() / 16 + 1);
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<std::int32_t>(table.size() - i);
  for (std::size_t first = 0; first < ids.size(); first += 48) {
    const std::size_t count = std::min<std::size_t>(48, ids.size() - first);
    const SequenceSlice slice{first, std::span(ids).subspan(first, count), table};
    transformer.run({&slice, 1});
    for (std::size_t i = 0; i < count; ++i) {
      const auto row = static_cast<std::int32_t>(i);
      const auto logits = transformer.logits({&row, 1});
      const std::size_t position = first + i;
      for (std::size_t c = 0; c < columns.size(); ++c) {
        ASSERT_NEAR(logits[columns[c]], expected[position][c], kTolerance) << position << " " << columns[c];
      }
      ASSERT_NEAR(*std::ranges::max_element(logits), logits[best[position]], 2 * kTolerance) << position;
      for (std::size_t id = 0; position + 1 == ids.size() && id < last.size(); ++id) {
        ASSERT_NEAR(logits[id], last[id], kTolerance) << id;
      }
    }
  }
}

TEST_P(Golden, LogitsAreThoseOfTransformers) {
  const json golden = read_golden(GetParam().name);
  const TinyModel tiny(options_of(golden["synth"]));
  const auto used = backend();
  const auto weights =
      std::make_shared<const ModelWeights>(*upload_weights(*used, tiny.folder().checkpoint, HeadStorage::as_stored));
  Transformer transformer(used, weights, {.rows = 48, .logit_rows = 1, .blocks = 16, .block_tokens = 16});
  for (const json& prompt : golden["prompts"]) compare_logits(prompt, transformer);
}

TEST_P(Golden, GreedyContinuationIsTheSame) {
  const json golden = read_golden(GetParam().name);
  const TinyModel tiny(options_of(golden["synth"]));
  const std::vector<TokenId> expected = golden["greedy"]["tokens"];
  RequestSpec spec;
  spec.id = 1;
  spec.prompt = golden["greedy"]["prompt"].get<std::vector<TokenId>>();
  spec.max_new_tokens = static_cast<std::uint32_t>(expected.size());
  spec.ignores_eos = true;
  const auto answers = tiny.answer(backend(), {spec});
  EXPECT_EQ(answers.at(1), expected);
}

INSTANTIATE_TEST_SUITE_P(Models, Golden,
                         ::testing::Values(GoldenCase{"llama", false}, GoldenCase{"llama", true},
                                           GoldenCase{"qwen2", false}, GoldenCase{"qwen2_tied", false},
                                           GoldenCase{"llama_gptq_desc_act", false},
                                           GoldenCase{"llama_gptq_desc_act", true}, GoldenCase{"qwen2_gptq", false},
                                           GoldenCase{"llama_gptq_8bit", false}, GoldenCase{"qwen2_gptq_head", false}),
                         [](const auto& instance) {
                           return std::string(instance.param.name) +
                                  (instance.param.is_reference ? "_reference" : "_cpu");
                         });

}  // namespace
}  // namespace refserver
