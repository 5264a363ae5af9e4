// Byte counts, KV sizes, step times and what fits, against figures worked out by hand from the models' published sizes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "refserver/checkpoint/presets.hpp"
#include "refserver/plan/memory_plan.hpp"
#include "refserver/plan/plan_text.hpp"
#include "refserver/plan/roofline.hpp"

namespace refserver {
namespace {

using ::testing::HasSubstr;

PlannedModel model(const char* name) {
  const ModelPreset* const preset = find_preset(name);
  if (preset == nullptr) throw std::runtime_error(name);
  return {preset->name, preset->config};
}

Gpu gpu(const char* name) {
  auto loaded = load_gpu(name);
  if (loaded.has_error()) throw std::runtime_error(loaded.error().message());
  return *loaded;
}

WeightPart part(const char* name, const char* part_name, HeadForm head = HeadForm::stored,
                EmbeddingPlace place = EmbeddingPlace::host) {
  for (const WeightPart& p : weight_parts(model(name).config, {place, head})) {
    if (p.name == part_name) return p;
  }
  throw std::runtime_error(part_name);
}

TEST(ModelBytes, Qwen2PartByPart) {
  EXPECT_EQ(linear_elements(model("qwen2-7b").config), 6'525'288'448U);
  EXPECT_EQ(part("qwen2-7b", "codes").on_gpu, 3'262'644'224U);
  EXPECT_EQ(part("qwen2-7b", "scales").on_gpu, 101'957'632U);
  EXPECT_EQ(part("qwen2-7b", "zero points").stored, 25'489'408U);
  EXPECT_EQ(part("qwen2-7b", "zero points").on_gpu, 0U);
  EXPECT_EQ(part("qwen2-7b", "group order").stored, 4'530'176U);
  EXPECT_EQ(part("qwen2-7b", "group order").on_gpu, 0U);
  EXPECT_EQ(part("qwen2-7b", "biases").on_gpu, 258'048U);
  EXPECT_EQ(part("qwen2-7b", "biases").stored, 258'048U + 2'523'136U);
  EXPECT_EQ(part("qwen2-7b", "norms").on_gpu, 408'576U);
  EXPECT_EQ(part("qwen2-7b", "embedding").stored, 1'089'994'752U);
  EXPECT_EQ(part("qwen2-7b", "embedding").on_gpu, 0U);
  EXPECT_EQ(part("qwen2-7b", "embedding", HeadForm::stored, EmbeddingPlace::gpu).on_gpu, 1'089'994'752U);
  EXPECT_EQ(part("qwen2-7b", "lm_head").on_gpu, 1'089'994'752U);
  EXPECT_EQ(part("qwen2-7b", "lm_head", HeadForm::int8).on_gpu, 545'301'504U);
  EXPECT_EQ(part("qwen2-7b", "lm_head", HeadForm::int4).on_gpu, 281'014'272U);
}

TEST(ModelBytes, LlamaPartByPart) {
  EXPECT_EQ(part("llama-3.1-8b", "codes").on_gpu, 3'489'660'928U);
  EXPECT_EQ(part("llama-3.1-8b", "scales").on_gpu, 109'051'904U);
  EXPECT_EQ(part("llama-3.1-8b", "zero points").stored, 27'262'976U);
  EXPECT_EQ(part("llama-3.1-8b", "group order").stored, 4'980'736U);
  // desc_act: 16-bit orders of the inputs of q/k/v, o, gate/up (4096 each) and down (14336), in 32 layers.
  EXPECT_EQ(part("llama-3.1-8b", "group order").on_gpu, 32U * (3 * 4096 + 14336) * 2);
  EXPECT_EQ(part("llama-3.1-8b", "biases").stored, 2'752'512U);
  EXPECT_EQ(part("llama-3.1-8b", "biases").on_gpu, 0U);
  EXPECT_EQ(part("llama-3.1-8b", "norms").on_gpu, 532'480U);
  EXPECT_EQ(part("llama-3.1-8b", "lm_head", HeadForm::int8).on_gpu, 525'593'088U);
  EXPECT_EQ(part("llama-3.1-8b", "lm_head", HeadForm::int4).on_gpu, 270'876'672U);
}

TEST(ModelBytes, WholeFiles) {
  std::uint64_t qwen = 0, llama = 0;
  for (const WeightPart& p : weight_parts(model("qwen2-7b").config, {})) qwen += p.stored;
  for (const WeightPart& p : weight_parts(model("llama-3.1-8b").config, {})) llama += p.stored;
  EXPECT_EQ(qwen, 5'577'800'704U);
  EXPECT_EQ(llama, 5'735'587'840U);
}

TEST(ModelBytes, KeysAndValuesOfAToken) {
  const ModelConfig qwen = model("Qwen/Qwen2-7B-Instruct-GPTQ-Int4").config;
  const ModelConfig llama = model("hugging-quants/Meta-Llama-3.1-8B-Instruct-GPTQ-INT4").config;
  EXPECT_EQ(kv_bytes_per_token(qwen, KvForm::fp16), 57'344U);
  EXPECT_EQ(kv_bytes_per_token(qwen, KvForm::fp8), 28'672U);
  EXPECT_EQ(kv_bytes_per_token(qwen, KvForm::int8), 29'120U);
  EXPECT_EQ(kv_bytes_per_token(llama, KvForm::fp16), 131'072U);
  EXPECT_EQ(kv_bytes_per_token(llama, KvForm::fp8), 65'536U);
  EXPECT_EQ(kv_bytes_per_token(llama, KvForm::int8), 66'560U);
}

TEST(ModelBytes, ATiedHeadIsTheEmbeddingUnlessItIsConverted) {
  EXPECT_EQ(part("qwen2-0.5b", "embedding").on_gpu, 0U);
  EXPECT_EQ(part("qwen2-0.5b", "lm_head").stored, 0U);
  EXPECT_EQ(part("qwen2-0.5b", "lm_head").on_gpu, 151'936U * 896 * 2);
  EXPECT_EQ(part("qwen2-0.5b", "embedding", HeadForm::stored, EmbeddingPlace::gpu).on_gpu, 0U);
  EXPECT_EQ(part("qwen2-0.5b", "embedding", HeadForm::int8, EmbeddingPlace::gpu).on_gpu, 151'936U * 896 * 2);
}

PlanRequest both(std::uint64_t context, std::uint64_t concurrency) {
  PlanRequest request;
  request.models = {model("qwen2-7b"), model("llama-3.1-8b")};
  request.placement = {EmbeddingPlace::host, HeadForm::int4};
  request.kv = KvForm::fp8;
  request.context = context;
  request.concurrency = concurrency;
  return request;
}

TEST(MemoryPlan, TwoModelsOnA12GbCard) {
  const PlanRequest request = both(256, 16);
  const MemoryPlan plan = plan_memory(gpu("rtx4070s"), request);
  // Codes, scales, biases, norms and an int4 head: 7168.2 MiB for both, and 1.6 MiB of row orders.
  const std::uint64_t orders = 32U * (3 * 4096 + 14336) * 2;
  EXPECT_EQ(plan.models[0].weight_bytes, 3'365'268'480U + 281'014'272U);
  EXPECT_EQ(plan.models[1].weight_bytes, 3'599'245'312U + 270'876'672U + orders);
  EXPECT_NEAR(static_cast<double>(plan.models[0].weight_bytes + plan.models[1].weight_bytes - orders) / kMiB, 7168.2,
              0.05);
  EXPECT_EQ(plan.models[0].kv_bytes, 16U * 256 * 28'672);
  EXPECT_EQ(plan.models[1].kv_bytes, 16U * 256 * 65'536);
  EXPECT_EQ(plan.activation_bytes, activation_bytes(request.models[0].config, 256 + 16));
  EXPECT_EQ(plan.logit_bytes, 16U * 152'064 * 4);
  EXPECT_EQ(plan.context_bytes, std::uint64_t{300} << 20U);
  EXPECT_EQ(plan.memory_bytes, std::uint64_t{12282} << 20U);
  EXPECT_EQ(plan.total_bytes, plan.models[0].weight_bytes + plan.models[1].weight_bytes + plan.models[0].kv_bytes +
                                  plan.models[1].kv_bytes + plan.activation_bytes + plan.logit_bytes +
                                  plan.scratch_bytes + plan.graph_bytes + plan.context_bytes + plan.headroom_bytes);
  EXPECT_TRUE(plan.fits());
}

TEST(MemoryPlan, ActivationsOfAPromptChunk) {
  // 256 rows of (3 x 3584 + 4608 + 18944) numbers: 17.6 MB.
  EXPECT_EQ(activation_bytes(model("qwen2-7b").config, 256), 256U * 34'304 * 2);
}

TEST(MemoryPlan, TheLargestConcurrencyIsTheLastThatFits) {
  PlanRequest request = both(256, 1);
  const Gpu card = gpu("rtx4070s");
  const std::uint64_t most = plan_memory(card, request).largest_concurrency;
  ASSERT_GT(most, 16U);
  request.concurrency = most;
  EXPECT_TRUE(plan_memory(card, request).fits());
  request.concurrency = most + 1;
  const MemoryPlan over = plan_memory(card, request);
  EXPECT_FALSE(over.fits());
  EXPECT_EQ(over.largest_concurrency, most);
  EXPECT_THAT(shortage_text(request, over), HasSubstr(std::to_string(most) + " per model would fit"));
}

TEST(MemoryPlan, SequencesTakeWholeBlocks) {
  EXPECT_EQ(plan_memory(gpu("h200"), both(257, 3)).models[0].kv_bytes, 3U * 272 * 28'672);
}

TEST(MemoryPlan, SaysWhatIsMissing) {
  PlanRequest request = both(256, 8);
  request.memory_mib = 7152.6;  // 7.5 * 10^9 bytes: the weights alone are 15.6 MiB more, without row orders
  const MemoryPlan plan = plan_memory(gpu("rtx4070s"), request);
  EXPECT_FALSE(plan.fits());
  EXPECT_EQ(plan.largest_concurrency, 0U);
  const std::string text = shortage_text(request, plan);
  EXPECT_THAT(text, HasSubstr("MiB needed of 7152.6"));
  EXPECT_THAT(text, HasSubstr("weights 7169.8"));
  EXPECT_THAT(text, HasSubstr("not one sequence per model fits"));
}

/// Milliseconds of a step as the published table has them: 256 tokens behind each sequence, fp8 KV, 0.3 ms gaps.
double step_ms(const char* name, std::uint64_t batch) {
  PlanRequest request;
  request.models = {model(name)};
  request.placement = {EmbeddingPlace::host, HeadForm::int4};
  request.kv = KvForm::fp8;
  request.context = 320;  // a prompt of 192 and half of 128 new tokens
  request.concurrency = batch;
  return compute_roofline(gpu("rtx4070s"), request, 128).models[0].batch_step_s * 1e3;
}

TEST(RooflineTest, StepTimesOnA4070Super) {
  const std::pair<std::uint64_t, double> qwen[] = {{1, 8.1},  {4, 8.1},   {8, 8.2},  {16, 8.3},
                                                   {32, 9.3}, {48, 13.8}, {64, 18.3}};
  const std::pair<std::uint64_t, double> llama[] = {{1, 8.6},   {4, 8.7},   {8, 8.8},  {16, 9.1},
                                                    {32, 10.5}, {48, 15.5}, {64, 20.6}};
  for (const auto& [batch, ms] : qwen) EXPECT_NEAR(step_ms("qwen2-7b", batch), ms, 0.06) << batch;
  for (const auto& [batch, ms] : llama) EXPECT_NEAR(step_ms("llama-3.1-8b", batch), ms, 0.06) << batch;
}

TEST(RooflineTest, WeightsPerStepPrefillAndCrossover) {
  PlanRequest request = both(2, 1);
  Gpu card = gpu("rtx4070s");
  const Roofline speed = compute_roofline(card, request, 1);
  EXPECT_EQ(speed.models[0].step_bytes, 3'646'282'752U);
  EXPECT_NEAR(1 / speed.models[0].prefill_token_s, 3264, 1);
  EXPECT_NEAR(1 / speed.models[1].prefill_token_s, 3052, 1);
  EXPECT_NEAR(speed.models[0].crossover, 29, 0.5);
  EXPECT_NEAR(compute_roofline(gpu("rtx4090"), request, 1).models[0].crossover, 34, 0.5);
  EXPECT_NEAR(compute_roofline(gpu("h200"), request, 1).models[0].crossover, 35, 0.7);
  // Both in turn, weights alone: 16.0 ms per token, 2.05 s for 128.
  card.step_gap_us = 0;
  const RooflineModel& qwen = speed.models[0];
  const RooflineModel& llama = speed.models[1];
  const double round = decode_step_s(card, qwen, 1, 0) + decode_step_s(card, llama, 1, 0);
  EXPECT_NEAR(round * 1e3, 16.0, 0.06);
  EXPECT_NEAR(round * 128, 2.05, 0.01);
}

TEST(RooflineTest, ABurstEndsWithEveryPromptAndEveryStep) {
  const PlanRequest request = both(256, 10);
  const Roofline speed = compute_roofline(gpu("rtx4090"), request, 128);
  EXPECT_EQ(speed.prompt, 128U);
  const double prompts = 10 * 128 * (speed.models[0].prefill_token_s + speed.models[1].prefill_token_s);
  const double steps = 128 * (speed.models[0].batch_step_s + speed.models[1].batch_step_s);
  EXPECT_NEAR(speed.last_s, prompts + steps, 1e-9);
}

TEST(GpuFiles, EveryKnownOneLoadsAndABadOneIsNamed) {
  for (const std::string& name : known_gpus()) EXPECT_TRUE(load_gpu(name).has_value()) << name;
  EXPECT_THAT(load_gpu("rtx9999").error().message(), HasSubstr("rtx9999: cannot be opened"));
  EXPECT_THAT(load_gpu("rtx9999").error().message(), HasSubstr("there are rtx4070s, rtx4090, "));
  EXPECT_THAT(parse_gpu("{}", "f.json").error().message(), HasSubstr("f.json: memory_mib: is missing"));
  EXPECT_THAT(parse_gpu(R"({"memory_mib":-5})", "f.json").error().message(),
              HasSubstr("memory_mib: -5 is not a number"));
}

TEST(PlanText, PrintsTheTableAndEveryAssumption) {
  const PlanRequest request = both(256, 16);
  const Gpu card = gpu("rtx4070s");
  const std::string text = plan_text(card, request, plan_memory(card, request), compute_roofline(card, request, 128));
  for (const char* const piece : {"codes", "3111.5", "3328.0", "6439.5", "keys and values", "it fits", "RTX 4070 Super",
                                  "assumed:", "blocks of 16", "headroom", "P99 of 128 new tokens"}) {
    EXPECT_THAT(text, HasSubstr(piece));
  }
}

}  // namespace
}  // namespace refserver
