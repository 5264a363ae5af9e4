// Frequencies against values computed in double from the definition, and one rotation.
#include "kernels/rope.hpp"

#include <gtest/gtest.h>

#include "kernels/tests/backends.hpp"

namespace kernels {
namespace {

TEST(Rope, Llama3FrequenciesInAllThreeRanges) {
  const auto plain = rope_frequencies({.head_dim = 128, .theta = 500000});
  const auto scaled = rope_frequencies({.head_dim = 128, .theta = 500000, .llama3 = Llama3Scaling{}});
  ASSERT_EQ(scaled.size(), 64U);
  const std::vector<std::tuple<std::size_t, float, float>> expected{{0, 1.0F, 1.0F},
                                                                    {1, 0.814617234F, 0.814617234F},
                                                                    {28, 0.00321144599F, 0.00321144599F},
                                                                    {29, 0.00261609925F, 0.00216657076F},
                                                                    {30, 0.00213111954F, 0.00137189357F},
                                                                    {31, 0.0017360467F, 0.000856751413F},
                                                                    {32, 0.00141421356F, 0.000524846161F},
                                                                    {33, 0.00115204274F, 0.00031269375F},
                                                                    {34, 0.00093847387F, 0.000178507813F},
                                                                    {35, 0.000764496988F, 9.55621235e-05F},
                                                                    {63, 2.45514079e-06F, 3.06892599e-07F}};
  for (const auto& [i, without, with] : expected) {
    EXPECT_FLOAT_EQ(plain[i], without) << i;
    EXPECT_FLOAT_EQ(scaled[i], with) << i;
  }
}

TEST(Rope, Qwen2FrequenciesAndLinearScaling) {
  const auto frequencies = rope_frequencies({.head_dim = 128, .theta = 1e6});
  EXPECT_FLOAT_EQ(frequencies[1], 0.805842188F);
  EXPECT_FLOAT_EQ(frequencies[16], 0.0316227766F);
  EXPECT_FLOAT_EQ(frequencies[32], 0.001F);
  EXPECT_FLOAT_EQ(frequencies[63], 1.24093776e-06F);
  EXPECT_FLOAT_EQ(rope_frequencies({.head_dim = 128, .theta = 1e6, .linear_factor = 4})[32], 0.00025F);
}

TEST(RopeDeathTest, RefusesWhatMakesNoSense) {
  EXPECT_DEATH(rope_frequencies({.head_dim = 7}), "head_dim");
  EXPECT_DEATH(rope_frequencies({.head_dim = 8, .theta = 0}), "theta");
  EXPECT_DEATH(rope_frequencies({.head_dim = 8, .llama3 = Llama3Scaling{.factor = 0}}), "factor");
  EXPECT_DEATH(rope_frequencies({.head_dim = 8, .llama3 = Llama3Scaling{.low_frequency_factor = 4}}), "factor");
}

class RotationTest : public EveryBackend {};

TEST_P(RotationTest, PairsHalvesOfAHeadByPosition) {
  // Four positions are stored so that the last row is position 3, with which the expected values were computed.
  const KvShape shape{.layers = 1, .blocks = 1, .block_tokens = 4, .kv_heads = 1, .head_dim = 8};
  const auto cache = backend_->make_kv_cache(shape);
  const auto frequencies = rope_frequencies({.head_dim = 8});
  const std::vector<std::int32_t> blocks{0};
  const std::vector<SequenceRows> rows{{.rows = 1, .first_position = 3, .blocks = blocks}};
  const std::vector<float> x{0.1F, 0.2F, 0.3F, 0.4F, 0.5F, 0.6F, 0.7F, 0.8F};
  Filled q(*backend_, x, 1), k(*backend_, x, 1), v(*backend_, x, 1);
  backend_->rope_and_store(*backend_->plan(rows, frequencies, shape), *cache, 0, q.rows, k.rows, v.rows);
  const std::vector<float> expected{-0.169559254F, 0.013755174F, 0.278868160F, 0.397598204F,
                                    -0.480884247F, 0.632305935F, 0.708683674F, 0.801196398F};
  const auto rotated = values_of(*backend_, q.rows);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_NEAR(rotated[i], expected[i], 1e-7F) << i;
  EXPECT_EQ(values_of(*backend_, k.rows), rotated);
  EXPECT_EQ(values_of(*backend_, v.rows), x);
}

INSTANTIATE_TEST_SUITE_P(All, RotationTest, ::testing::ValuesIn(all_candidates()), candidate_name);

}  // namespace
}  // namespace kernels
