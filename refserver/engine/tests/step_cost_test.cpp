// Presets: every one loads and is the arithmetic of plan/, and bad files are named.
#include "refserver/engine/step_cost.hpp"

#include <gtest/gtest.h>

#include "refserver/checkpoint/presets.hpp"
#include "refserver/plan/gpu.hpp"
#include "refserver/plan/roofline.hpp"

namespace refserver {
namespace {

TEST(CostPreset, EveryOneIsTheArithmeticOfThePlan) {
  std::size_t checked = 0;
  for (const std::string model : {"qwen2-7b", "llama-3.1-8b"}) {
    for (const std::string card : {"rtx4070s", "rtx4090", "h200"}) {
      const auto preset = load_cost_preset(model + "-" + card);
      ASSERT_TRUE(preset.has_value()) << preset.error().message();
      const auto gpu = load_gpu(card);
      ASSERT_TRUE(gpu.has_value());
      PlanRequest request;
      request.models = {{model, find_preset(model)->config}};
      request.placement.head = HeadForm::int4;
      request.kv = KvForm::fp8;
      request.context = 1024;
      request.concurrency = 1;
      const RooflineModel bound = compute_roofline(*gpu, request, 128).models.at(0);
      const double weights = static_cast<double>(bound.step_bytes) / gpu->bytes_per_s() * 1e9;
      EXPECT_NEAR(preset->cost.base, gpu->step_gap_us * 1e3, 1);
      EXPECT_NEAR(preset->cost.weights, weights, weights * 1e-3);
      EXPECT_NEAR(preset->cost.decode_token, weights / bound.crossover, weights / bound.crossover * 1e-3);
      EXPECT_NEAR(preset->cost.prefill_token, bound.prefill_token_s * 1e9, bound.prefill_token_s * 1e6);
      EXPECT_EQ(preset->kv_bytes_per_token, kv_bytes_per_token(request.models[0].config, KvForm::fp8));
      const double context = static_cast<double>(preset->kv_bytes_per_token) / gpu->bytes_per_s() * 1e9;
      EXPECT_NEAR(preset->cost.context_token, context, context * 1e-2);
      EXPECT_NE(preset->notes.find("estimate"), std::string::npos);
      ++checked;
    }
  }
  EXPECT_EQ(checked, known_cost_presets().size());
}

TEST(CostPreset, RefusesWhatIsNotOne) {
  const auto unknown = load_cost_preset("gpt5-abacus");
  ASSERT_TRUE(unknown.has_error());
  EXPECT_NE(unknown.error().message().find("qwen2-7b-rtx4070s"), std::string::npos);
  const std::string good =
      R"({"base_us":1,"weights_us":2,"prefill_token_us":3,"decode_token_us":4,"context_token_ns":5})";
  const auto preset = parse_cost_preset(good, "f.json");
  ASSERT_TRUE(preset.has_value()) << preset.error().message();
  EXPECT_DOUBLE_EQ(preset->cost.base, 1000);
  EXPECT_DOUBLE_EQ(preset->cost.context_token, 5);
  for (const std::string field : {"base_us", "weights_us", "prefill_token_us", "decode_token_us", "context_token_ns"}) {
    std::string bad = good;
    bad.replace(bad.find(field), 1, "_");
    ASSERT_TRUE(parse_cost_preset(bad, "f.json").has_error());
    EXPECT_EQ(parse_cost_preset(bad, "f.json").error().message(), "f.json: " + field + ": is missing");
  }
  for (const char* bad : {"", "[]", "{", R"({"base_us":-1})", R"({"base_us":"1"})", R"({"base_us":1e99})"}) {
    EXPECT_TRUE(parse_cost_preset(bad, "f.json").has_error()) << bad;
  }
}

}  // namespace
}  // namespace refserver
