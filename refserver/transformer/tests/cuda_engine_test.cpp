// Whole models on the CUDA backend, as far as an emulator shows: answers are those of the reference, however steps are
// launched and wherever tokens are chosen.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "kernels/cuda/cuda_backend.hpp"
#include "kernels/cuda/tests/emulated_device.hpp"
#include "kernels/reference/reference_backend.hpp"
#include "refserver/transformer/tests/tiny_model.hpp"

namespace refserver {
namespace {

#if defined(__SANITIZE_THREAD__)
constexpr bool kHasFibers = false;  // the thread sanitizer does not follow them
#else
constexpr bool kHasFibers = true;
#endif

std::shared_ptr<kernels::Backend> emulated(const kernels::CudaOptions& options = {}) {
  return kernels::make_cuda_backend(kernels::cuda::make_emulated_device(), "cuda-emulated", options);
}

/// Greedy and sampled, with every setting that there is.
std::vector<RequestSpec> some_requests(std::size_t vocabulary) {
  std::mt19937 random(22);  // NOLINT: the same requests every time
  std::vector<RequestSpec> specs(4);
  for (std::size_t i = 0; i < specs.size(); ++i) {
    RequestSpec& spec = specs[i];
    spec.id = i + 1;
    spec.max_new_tokens = 10;
    spec.min_new_tokens = 4;
    spec.ignores_eos = true;
    spec.prompt.resize(3 + 7 * i);
    std::ranges::generate(spec.prompt, [&] { return static_cast<TokenId>(random() % vocabulary); });
    if (i == 0) continue;
    spec.sampling.is_greedy = false;
    spec.sampling.seed = 100 + i;
    spec.sampling.temperature = 0.9F;
    if (i == 1) spec.sampling.repetition_penalty = 1.1F;
    if (i == 2) spec.sampling.top_p = 0.95F;
    if (i == 3) spec.sampling.typical_p = 0.9F;
    if (i == 3) spec.sampling.top_k = 40;
  }
  return specs;
}

class CudaEngine : public ::testing::TestWithParam<Architecture> {
 protected:
  void SetUp() override {
    if (!kHasFibers) GTEST_SKIP() << "no emulator under this sanitizer";
  }
  static SynthOptions options() {
    SynthOptions options = tiny_options(GetParam());
    options.group_size = 32;
    options.desc_act = GetParam() == Architecture::llama;
    return options;
  }
  TinyModel tiny_{options()};
  std::vector<RequestSpec> specs_ = some_requests(tiny_.folder().tokenizer->size());
};

TEST_P(CudaEngine, AnswersAsTheReferenceDoes) {
  EXPECT_EQ(tiny_.answer(emulated(), specs_), tiny_.answer(kernels::make_reference_backend(), specs_));
}

TEST_P(CudaEngine, RecordedStepsAnswerAsLaunchedOnes) {
  EXPECT_EQ(tiny_.answer(emulated({.step_launch = kernels::StepLaunch::recorded}), specs_),
            tiny_.answer(emulated(), specs_));
}

TEST_P(CudaEngine, TokensAreTheSameChosenOnTheDeviceOrFromLogitsOnTheHost) {
  auto with_alternatives = specs_;  // for which logits go to the host
  for (RequestSpec& spec : with_alternatives) spec.top_n_tokens = 2;
  EXPECT_EQ(tiny_.answer(emulated(), with_alternatives), tiny_.answer(emulated(), specs_));
}

INSTANTIATE_TEST_SUITE_P(All, CudaEngine, ::testing::Values(Architecture::llama, Architecture::qwen2),
                         [](const auto& one) { return one.param == Architecture::llama ? "llama" : "qwen2"; });

}  // namespace
}  // namespace refserver
