// What only this backend has: several runs of positions, narrow caches, a library's products, grids of any size. On the
// emulator always, and on a GPU where there is one.
#include "kernels/cuda/cuda_backend.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "kernels/cuda/batch.hpp"
#include "kernels/cuda/products.hpp"
#include "kernels/rope.hpp"
#include "kernels/tests/backends.hpp"

namespace kernels {
namespace {

using cuda::make_emulated_device;

class CudaTest : public ::testing::TestWithParam<CudaTarget> {
 protected:
  void SetUp() override {
    if (GetParam() == CudaTarget::emulator && !kHasFibers) GTEST_SKIP() << "no emulator under this sanitizer";
    if (make() == nullptr) GTEST_SKIP() << "no GPU answers on this machine";
  }
  std::unique_ptr<Backend> make(const CudaOptions& options = {}, unsigned processors = 3, unsigned seed = 1) const {
    if (GetParam() == CudaTarget::gpu) return find_cuda_backend(options);
    return make_cuda_backend(make_emulated_device({.processors = processors, .seed = seed}), "cuda-emulated", options);
  }
  bool on_gpu() const { return GetParam() == CudaTarget::gpu; }
  std::mt19937 random_{42};  // NOLINT: the same values every time
};

struct Heads {
  std::size_t heads;
  std::size_t kv_heads;
  std::size_t dim;
};

/// One sequence: all tokens but the last `rows` in one step, then those; the attention output of the last step. A part
/// of every key is off by `bias`.
std::vector<float> attend(Backend& backend, const Heads& of, KvType type, std::size_t tokens, std::size_t rows,
                          float bias = 0) {
  std::mt19937 random(11);  // NOLINT
  const std::size_t width = (of.heads + 2 * of.kv_heads) * of.dim;
  auto values = random_values(tokens * width, random);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t column = i % width / of.dim;
    if (column >= of.heads && column < of.heads + of.kv_heads && i % of.dim < of.dim / 8) values[i] += bias;
  }
  const KvShape shape{.layers = 1,
                      .blocks = (tokens - 1) / 16 + 1,
                      .block_tokens = 16,
                      .kv_heads = of.kv_heads,
                      .head_dim = of.dim,
                      .type = type};
  std::vector<std::int32_t> table(shape.blocks);
  std::iota(table.rbegin(), table.rend(), 0);
  const auto cache = backend.make_kv_cache(shape);
  const auto frequencies = rope_frequencies({.head_dim = of.dim});
  std::vector<float> result;
  for (const auto& [begin, end] : {std::pair{std::size_t{0}, tokens - rows}, {tokens - rows, tokens}}) {
    if (begin == end) continue;
    const std::vector<SequenceRows> sequences{{end - begin, begin, table}};
    const auto plan = backend.plan(sequences, frequencies, shape);
    Filled qkv(backend, std::span(values).subspan(begin * width, (end - begin) * width), end - begin);
    const auto q = qkv.rows.columns(0, of.heads * of.dim);
    backend.rope_and_store(*plan, *cache, 0, q, qkv.rows.columns(q.cols, of.kv_heads * of.dim),
                           qkv.rows.columns(q.cols + of.kv_heads * of.dim, of.kv_heads * of.dim));
    if (end < tokens) continue;
    Filled y(backend, std::vector<float>((end - begin) * q.cols), end - begin);
    backend.attention(*plan, *cache, 0, q, y.rows);
    result = values_of(backend, y.rows);
  }
  return result;
}

double worst(const std::vector<float>& actual, const std::vector<float>& expected) {
  double difference = actual.size() == expected.size() ? 0 : INFINITY;
  for (std::size_t i = 0; i < std::min(actual.size(), expected.size()); ++i) {
    const double one = std::abs(static_cast<double>(actual[i]) - expected[i]);
    difference = std::isnan(one) ? INFINITY : std::max(difference, one);
  }
  return difference;
}

TEST_P(CudaTest, AttentionOverSeveralRunsAgreesWithTheReference) {
  const auto reference = make_reference_backend();
  // Both models' heads, more query heads than a block takes at once, and one row more than a run.
  for (const Heads& heads : {Heads{7, 1, 128}, Heads{4, 1, 128}, Heads{20, 1, 16}}) {
    for (const std::size_t tokens : {257, 600}) {
      for (const std::size_t rows : {1, 5}) {
        const auto expected = attend(*reference, heads, KvType::f32, tokens, rows);
        EXPECT_LT(worst(attend(*make(), heads, KvType::f32, tokens, rows), expected), 4e-6)
            << heads.heads << " heads, " << tokens << " tokens, " << rows << " rows";
      }
    }
  }
}

TEST_P(CudaTest, AttentionIsTheSameSpreadOverBlocksOrNot) {
  if (on_gpu()) GTEST_SKIP() << "a GPU has the processors it has";
  const Heads heads{7, 1, 64};
  const auto alone = attend(*make({}, 1), heads, KvType::f32, 700, 3);
  EXPECT_EQ(attend(*make({}, 200), heads, KvType::f32, 700, 3), alone);
  EXPECT_EQ(attend(*make({}, 200, 99), heads, KvType::f32, 700, 3), alone) << "another order of blocks and threads";
}

TEST(AttendPlan, SplitsRunsOnlyWhereProcessorsWouldIdle) {
  const KvShape shape{.layers = 1, .blocks = 64, .block_tokens = 16, .kv_heads = 4, .head_dim = 128};
  const auto decode = cuda::plan_attention({{0, 1, 700, 0}}, 28, shape, 56);
  EXPECT_TRUE(decode.split);
  EXPECT_EQ(decode.items.size(), 3U);
  EXPECT_EQ(decode.runs, 3U);
  const auto prompt = cuda::plan_attention({{0, 512, 0, 0}}, 28, shape, 56);
  EXPECT_FALSE(prompt.split);
  EXPECT_EQ(prompt.items.size(), 256U) << "two rows of seven heads each";
  std::uint32_t covered = 0;
  for (const auto& item : prompt.items) covered += item.rows;
  EXPECT_EQ(covered, 512U);
  const auto short_context = cuda::plan_attention({{0, 1, 255, 0}}, 28, shape, 56);
  EXPECT_FALSE(short_context.split) << "one run is nothing to merge";
}

TEST_P(CudaTest, NarrowCachesStayCloseToTheReference) {
  const auto reference = make_reference_backend();
  const Heads heads{7, 1, 128};
  const auto expected = attend(*reference, heads, KvType::f32, 90, 4);
  // Values are uniform in +-1.7. A half is off by 2^-11 of itself, a byte by 1/510 of the range, E4M3 by 1/16 of
  // itself.
  const std::vector<std::pair<KvType, double>> bounds{
      {KvType::f16, 3e-3}, {KvType::bf16, 2e-2}, {KvType::int8, 2e-2}, {KvType::fp8, 0.15}};
  for (const auto& [type, bound] : bounds) {
    const double difference = worst(attend(*make(), heads, type, 90, 4), expected);
    EXPECT_LT(difference, bound) << static_cast<int>(type);
    EXPECT_GT(difference, bound / 100) << "it is not narrow at all: " << static_cast<int>(type);
  }
}

constexpr CudaOptions kTensorAttention{.tensor_attention_rows = 2};

TEST_P(CudaTest, AttentionOnTensorCoresAgreesWithTheReference) {
  const auto reference = make_reference_backend();
  // Both models' heads, more query heads than a block takes, and heads that are no multiple of 4 long.
  for (const Heads& heads : {Heads{7, 1, 128}, Heads{8, 2, 128}, Heads{70, 1, 16}, Heads{2, 1, 6}}) {
    for (const auto& [tokens, rows] : {std::pair<std::size_t, std::size_t>{90, 90}, {101, 33}, {64, 2}}) {
      const auto expected = attend(*reference, heads, KvType::f32, tokens, rows);
      EXPECT_LT(worst(attend(*make(kTensorAttention), heads, KvType::f32, tokens, rows), expected), 4e-6)
          << heads.heads << " heads of " << heads.dim << ", " << tokens << " tokens, " << rows << " rows";
    }
  }
}

TEST_P(CudaTest, AttentionOnTensorCoresKeepsTheBitsOfLargeProducts) {
  // Scores of some thousands, of which hundredths matter: products of single halves would be off by several units.
  const Heads heads{7, 1, 128};
  const auto expected = attend(*make_reference_backend(), heads, KvType::f32, 70, 40, 3000);
  EXPECT_LT(worst(attend(*make(kTensorAttention), heads, KvType::f32, 70, 40, 3000), expected), 0.02);
  // And far beyond what a half can hold: the likeliest position takes it all.
  for (const float value : attend(*make(kTensorAttention), heads, KvType::f32, 70, 40, 1e7F)) {
    ASSERT_LT(std::abs(value), 2) << "values are below 1.8";
  }
}

TEST_P(CudaTest, AttentionOnTensorCoresReadsNarrowCachesAsAttentionInFloatsDoes) {
  const Heads heads{7, 1, 128};
  for (const KvType type : {KvType::f16, KvType::bf16, KvType::int8, KvType::fp8}) {
    const auto expected = attend(*make(), heads, type, 70, 40);
    EXPECT_LT(worst(attend(*make(kTensorAttention), heads, type, 70, 40), expected), 4e-6) << static_cast<int>(type);
  }
}

TEST_P(CudaTest, AttentionOnTensorCoresIsTheSameHoweverAPromptIsCut) {
  const Heads heads{7, 1, 64};
  const auto all = attend(*make(kTensorAttention), heads, KvType::f16, 100, 100);
  for (const std::size_t rows : {3, 37, 64}) {
    const auto last = attend(*make(kTensorAttention, 3, 5), heads, KvType::f16, 100, rows);
    ASSERT_TRUE(std::ranges::equal(last, std::span(all).last(last.size()))) << rows;
  }
}

TEST_P(CudaTest, AStepMayHavePromptsForTensorCoresAndSingleRows) {
  // Three sequences over one cache: a long run of positions that is split, a prompt, a single row.
  const KvShape shape{.layers = 1, .blocks = 24, .block_tokens = 16, .kv_heads = 1, .head_dim = 16};
  const auto step = [&](Backend& backend) {
    std::mt19937 random(12);  // NOLINT
    const auto cache = backend.make_kv_cache(shape);
    std::vector<std::int32_t> table(20), other(3);
    std::iota(table.begin(), table.end(), 0);
    std::iota(other.begin(), other.end(), 20);
    const auto frequencies = rope_frequencies({.head_dim = 16});
    std::vector<float> result;
    const std::vector<SequenceRows> filling{{300, 0, table}}, mixed{{1, 300, table}, {40, 0, other}, {1, 301, table}};
    for (const auto& sequences : {filling, mixed}) {
      const auto plan = backend.plan(sequences, frequencies, shape);
      Filled qkv(backend, random_values(plan->rows() * 4 * 16, random), plan->rows());
      const auto q = qkv.rows.columns(0, 2 * 16);
      backend.rope_and_store(*plan, *cache, 0, q, qkv.rows.columns(32, 16), qkv.rows.columns(48, 16));
      Filled y(backend, std::vector<float>(plan->rows() * 32, NAN), plan->rows());
      backend.attention(*plan, *cache, 0, q, y.rows);
      result = values_of(backend, y.rows);
    }
    return result;
  };
  const CudaOptions options{.tensor_attention_rows = 8};
  EXPECT_LT(worst(step(*make(options, 100)), step(*make_reference_backend())), 4e-6);
}

std::vector<float> product(Backend& backend, const GptqMatrix& matrix, std::span<const float> x, std::size_t rows) {
  std::vector<float> y(rows * matrix.out(), NAN);
  const std::vector<float> bias(matrix.out(), 0.25F);
  backend.matmul(*backend.upload({&matrix, 1}, bias), x, rows, y);
  return y;
}

TEST_P(CudaTest, ProductsThroughTheLibraryAgreeWithFusedOnes) {
  for (const LayerShape& shape : {LayerShape{256, 136, 128, true}, LayerShape{320, 24, 64, false, 8}}) {
    const GptqPacked packed = random_packed(shape, random_);
    const auto matrix = make_gptq_matrix(packed.tensors(), shape.group_size);
    const auto x = random_values(70 * shape.in, random_, 3);
    const auto fused = product(*make({.precision = Precision::fast}), *matrix, x, 70);
    const auto library = product(*make({.precision = Precision::fast, .library_rows = 32}), *matrix, x, 70);
    // Weights are rounded to halves on their way to the library: 2^-11 of each of `in` terms of a few units.
    EXPECT_LT(worst(library, fused), 2e-3 * std::sqrt(static_cast<double>(shape.in)));
    if (!on_gpu()) {
      EXPECT_GT(worst(library, fused), 0) << "the library was not asked";
      const auto without = make_cuda_backend(make_emulated_device({.has_library = false}), "cuda-emulated",
                                             {.precision = Precision::fast, .library_rows = 32});
      EXPECT_EQ(product(*without, *matrix, x, 70), fused) << "no library: the fused kernel";
    }
  }
}

TEST_P(CudaTest, ManyRowsAtOnceAgreeWithTheReference) {
  // Columns that fill a block of 128, leave most of it empty, and need several; groups of one and two runs of 64
  // inputs, scattered, with zero points and without; outputs that end inside a slice.
  struct Case {
    LayerShape shape;
    std::size_t rows;
  };
  for (const Case& c : {Case{{256, 136, 128, true}, 64}, Case{{320, 24, 64, false}, 5},
                        Case{{384, 16, 128, false, 8}, 70}, Case{{200, 40, 100, true, 4, true}, 130}}) {
    const GptqPacked packed = random_packed(c.shape, random_);
    const auto matrix = make_gptq_matrix(packed.tensors(), c.shape.group_size);
    const auto x = random_values(c.rows * c.shape.in, random_);
    const auto expected = product(*make_reference_backend(), *matrix, x, c.rows);
    for (const Precision precision : {Precision::exact, Precision::fast}) {
      const CudaOptions options{.precision = precision, .wide_rows = 1};
      // Halves of x are off by 2^-12 of its greatest, two of them by 2^-22; sums have `in` terms of a few units.
      const double bound = precision == Precision::exact ? 5e-4 : 0.05 * std::sqrt(static_cast<double>(c.shape.in));
      EXPECT_LT(worst(product(*make(options), *matrix, x, c.rows), expected), bound)
          << c.shape.in << "x" << c.shape.out << ", " << c.rows << " rows";
    }
  }
}

TEST_P(CudaTest, ARowAmongManyDoesNotDependOnTheOthers) {
  const GptqPacked packed = random_packed({320, 136, 64, true}, random_);
  const auto matrix = make_gptq_matrix(packed.tensors(), 64);
  const auto x = random_values(90 * 320, random_);
  const auto all = product(*make({.wide_rows = 2}), *matrix, x, 90);
  for (const std::size_t rows : {2U, 65U}) {
    const auto some = product(*make({.wide_rows = 2}, 7, 5), *matrix, std::span(x).first(rows * 320), rows);
    ASSERT_TRUE(std::ranges::equal(some, std::span(all).first(some.size()))) << rows;
  }
  const auto one = std::span(x).first(320);
  EXPECT_EQ(product(*make({.wide_rows = 2}), *matrix, one, 1), product(*make(), *matrix, one, 1)) << "too few rows";
}

TEST_P(CudaTest, DeepPipelinesGiveTheSameBits) {
  if (on_gpu()) GTEST_SKIP() << "a GPU has the shared memory it has";
  const GptqPacked packed = random_packed({1280, 264, 128, true}, random_);
  const auto matrix = make_gptq_matrix(packed.tensors(), 128);
  const auto deep = make_cuda_backend(make_emulated_device({.shared_bytes = 227 * 1024UL}), "cuda-emulated",
                                      {.precision = Precision::fast});
  for (const std::size_t rows : {1U, 8U, 13U}) {
    const auto x = random_values(rows * 1280, random_);
    EXPECT_EQ(product(*deep, *matrix, x, rows), product(*make({.precision = Precision::fast}), *matrix, x, rows))
        << rows;
  }
}

TEST_P(CudaTest, OrderOfBlocksAndThreadsDoesNotMatter) {
  const GptqPacked packed = random_packed({640, 304, 128, true}, random_);
  const auto matrix = make_gptq_matrix(packed.tensors(), 128);
  const auto x = random_values(5 * 640, random_);
  const auto first = product(*make({}, 5), *matrix, x, 5);
  const unsigned runs = on_gpu() ? 50 : 4;
  for (unsigned seed = 2; seed < 2 + runs; ++seed) ASSERT_EQ(product(*make({}, 5, seed), *matrix, x, 5), first) << seed;
}

TEST_P(CudaTest, AnyNumberOfProcessorsMultipliesRight) {
  if (on_gpu()) GTEST_SKIP() << "a GPU has the processors it has";
  const GptqPacked packed = random_packed({896, 264, 100, true}, random_);
  const auto matrix = make_gptq_matrix(packed.tensors(), 100);
  const auto x = random_values(2 * 896, random_);
  const auto expected = product(*make_reference_backend(), *matrix, x, 2);
  for (const unsigned processors : {1U, 2U, 4U, 7U, 13U}) {
    EXPECT_LT(worst(product(*make({}, processors), *matrix, x, 2), expected), 2e-4) << processors;
  }
}

TEST_P(CudaTest, MatricesOfBothModelsAgreeWithTheReference) {
  const auto qwen2 = [](std::size_t in, std::size_t out) { return LayerShape{in, out, 128, false, 4, true}; };
  const auto llama3 = [](std::size_t in, std::size_t out) { return LayerShape{in, out, 128, true, 4, true}; };
  for (LayerShape shape : {qwen2(3584, 4608), qwen2(3584, 3584), qwen2(3584, 37888), qwen2(18944, 3584),
                           llama3(4096, 6144), llama3(4096, 4096), llama3(4096, 28672), llama3(14336, 4096)}) {
    if (!on_gpu()) shape.out = 128;  // all inputs, but one slice of the outputs: the emulator is slow
    const GptqPacked packed = random_packed(shape, random_);
    const auto matrix = make_gptq_matrix(packed.tensors(), 128);
    const auto x = random_values(3 * shape.in, random_);
    // Outputs are a few units; 2^-22 of the sum of magnitudes of the longest is 1e-4.
    const auto expected = product(*make_reference_backend(), *matrix, x, 3);
    EXPECT_LT(worst(product(*make(), *matrix, x, 3), expected), 5e-4) << shape.in << "x" << shape.out;
  }
}

TEST_P(CudaTest, RowsOfAnyMagnitudeKeepTheirPrecision) {
  const GptqPacked packed = random_packed({256, 16, 128, false, 4, true}, random_);
  const auto matrix = make_gptq_matrix(packed.tensors(), 128);
  auto x = random_values(4 * 256, random_);
  const float factors[4] = {1e-20F, 1, 3e5F, 1e25F};
  for (std::size_t i = 0; i < x.size(); ++i) x[i] *= factors[i / 256];
  const auto expected = product(*make_reference_backend(), *matrix, x, 4);
  const auto actual = product(*make(), *matrix, x, 4);
  for (std::size_t i = 0; i < actual.size(); ++i) {
    ASSERT_NEAR(actual[i], expected[i], 1e-5F * factors[i / 16] + 1e-6F) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(All, CudaTest, ::testing::ValuesIn(cuda_targets()), cuda_target_name);

}  // namespace
}  // namespace kernels
