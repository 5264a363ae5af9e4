// Plans of memory against what loading then takes.
#include "refserver/transformer/host_memory.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kernels/cpu/cpu_backend.hpp"
#include "refserver/checkpoint/synth/synth.hpp"
#include "refserver/checkpoint/tests/raw_safetensors.hpp"

namespace refserver {
namespace {

struct Loaded {
  HostMemoryPlan plan;
  std::uint64_t bytes = 0;  ///< that the weights take
};

Loaded load(const std::filesystem::path& folder, HeadStorage head) {
  auto opened = Checkpoint::open(folder);
  if (opened.has_error()) throw std::runtime_error(opened.error().message());
  const auto checkpoint = std::make_shared<const Checkpoint>(std::move(*opened));
  const auto plan = plan_host_memory(*checkpoint, {.head = head, .context_tokens = 32});
  if (plan.has_error()) throw std::runtime_error(plan.error());
  const auto backend = kernels::make_cpu_backend(kernels::CpuIsa::portable, {});
  const auto weights = upload_weights(*backend, checkpoint, head);
  if (weights.has_error()) throw std::runtime_error(weights.error().text);
  return {*plan, weights->bytes};
}

/// Two layers of seven matrices, a head and an embedding: each may end in the middle of a line, unless it is joined.
constexpr std::uint64_t kSlack = 64 * 16;

TEST(HostMemory, CountsWhatAStepReadsInEveryLayout) {
  const exporters::ScratchDir dir;
  SynthOptions options;
  options.preset = "tiny-llama";
  options.tokenizer_folder = make_small_tokenizer(dir / "tokenizer");
  for (const unsigned bits : {4U, 8U}) {
    for (const bool is_symmetric : {true, false}) {
      for (const std::size_t group : {std::size_t{0}, std::size_t{32}, std::size_t{128}}) {
        options.bits = bits;
        options.sym = is_symmetric;
        options.group_size = group;
        const auto folder = dir / fmt::format("{}-{}-{}", bits, is_symmetric, group);
        ASSERT_TRUE(write_synthetic_checkpoint(options, folder, {}).has_value()) << folder;
        const Loaded one = load(folder, HeadStorage::int8);
        EXPECT_LE(one.bytes, one.plan.weight_bytes) << folder;
        EXPECT_LE(one.plan.weight_bytes, one.bytes + kSlack) << folder;
        EXPECT_EQ(one.plan.read_bytes, one.plan.weight_bytes) << folder;
      }
    }
  }
}

TEST(HostMemory, CoversWhatLoadingTakesWhereverTensorsLie) {
  const exporters::ScratchDir dir;
  SynthOptions options;
  options.preset = "tiny-qwen2";
  options.tokenizer_folder = make_small_tokenizer(dir / "tokenizer");
  options.vocab_size = 104;
  for (const bool is_tied : {true, false}) {
    options.tie_embeddings = is_tied;
    const auto folder = dir / (is_tied ? "tied" : "untied");
    ASSERT_TRUE(write_synthetic_checkpoint(options, folder, {}).has_value());
    const RawTensors tensors = read_raw(folder / "model.safetensors");
    const std::uint64_t embedding = 104 * 128 * 2;
    for (const HeadStorage head : {HeadStorage::as_stored, HeadStorage::int8, HeadStorage::int4}) {
      write_raw(folder / "model.safetensors", tensors);
      const Loaded aligned = load(folder, head);
      write_raw(folder / "model.safetensors", tensors, 1);
      const Loaded odd = load(folder, head);
      for (const Loaded& one : {aligned, odd}) {
        EXPECT_LE(one.bytes, one.plan.weight_bytes);
        EXPECT_LE(one.plan.weight_bytes, one.bytes + kSlack);
      }
      // Off their alignment the plain matrices are copied: the embedding, and the head where it stays plain.
      EXPECT_EQ(odd.bytes - aligned.bytes, head == HeadStorage::as_stored ? 2 * embedding : embedding) << is_tied;
      EXPECT_EQ(odd.plan.mapped_bytes, 0U);
      EXPECT_EQ(aligned.plan.mapped_bytes, head == HeadStorage::as_stored && !is_tied ? 2 * embedding : embedding);
      EXPECT_EQ(odd.plan.head_macs, 104U * 128);
      EXPECT_EQ(odd.plan.layer_macs, 2U * (2 * 128 * 128 + 2 * 128 * 64 + 3 * 128 * 256));
    }
  }
}

}  // namespace
}  // namespace refserver
