// An output layer of 4 or 8 bits: what its repair promises, for every type of weights.
#include "kernels/cuda/head.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "kernels/bf16.hpp"
#include "kernels/int8_rows.hpp"
#include "kernels/tests/backends.hpp"

namespace kernels {
namespace {

/// Random weights as stored in a checkpoint.
struct Stored {
  std::vector<std::byte> bytes;
  DenseMatrix matrix;
};
Stored random_weights(std::size_t out, std::size_t in, DenseType type, std::mt19937& random) {
  const auto values = random_values(out * in, random, 0.05F);
  Stored stored;
  stored.bytes.resize(values.size() * dense_size(type));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (type == DenseType::f32) {
      std::memcpy(stored.bytes.data() + i * 4, &values[i], 4);
    } else {
      const std::uint16_t bits = type == DenseType::f16 ? to_half(values[i]) : to_bf16(values[i]);
      std::memcpy(stored.bytes.data() + i * 2, &bits, 2);
    }
  }
  stored.matrix = {.data = stored.bytes, .out = out, .in = in, .type = type};
  return stored;
}

std::vector<float> product(Backend& backend, const WeightMatrix& weights, std::span<const float> x, std::size_t rows) {
  std::vector<float> y(rows * weights.out());
  backend.matmul(weights, x, rows, y);
  return y;
}

class HeadTest : public EveryBackend {};

/// One row's outputs.
std::span<const float> row_of(const std::vector<float>& y, std::size_t row, std::size_t out) {
  return std::span(y).subspan(row * out, out);
}

TEST_P(HeadTest, OutputsAreOffByTheRoundingOfWeightsAtMost) {
  constexpr std::size_t kRows = 3, kIn = 256, kOut = 1000;
  const auto reference = make_reference_backend();
  const auto x = random_values(kRows * kIn, random_);
  double magnitudes = 0;
  for (const float value : x) magnitudes = std::max(magnitudes, std::abs(double{value}));
  for (const DenseType type : {DenseType::f32, DenseType::f16, DenseType::bf16}) {
    const Stored stored = random_weights(kOut, kIn, type, random_);
    const auto exact = product(*reference, *reference->upload(stored.matrix, {}), x, kRows);
    for (const unsigned bits : {4U, 8U}) {
      const auto head = std::move(*backend_->upload_head(stored.matrix, bits, "lm_head"));
      ASSERT_EQ(head->in(), kIn);
      ASSERT_EQ(head->out(), kOut);
      const auto actual = product(*backend_, *head, x, kRows);
      // Weights are below 0.09: half a step of the codes each, and what rounded inputs add in fast precision.
      const double most = kIn * magnitudes * (0.09 / (bits == 4 ? 14 : 254) + 0.09 / 254);
      for (std::size_t i = 0; i < actual.size(); ++i) ASSERT_NEAR(actual[i], exact[i], most) << bits << " bits, " << i;
    }
  }
}

TEST_P(HeadTest, TheGreatestOutputsOfARepairedOneAreThoseOfTheWeightsAsTheyAre) {
  if (GetParam().cuda == CudaTarget::none) GTEST_SKIP() << backend_->name() << " does not repair rounded output layers";
  constexpr std::size_t kRows = 3, kIn = 256, kOut = 1000;
  const auto reference = make_reference_backend();
  const auto x = random_values(kRows * kIn, random_);
  for (const DenseType type : {DenseType::f32, DenseType::f16, DenseType::bf16}) {
    const Stored stored = random_weights(kOut, kIn, type, random_);
    const auto exact = product(*reference, *reference->upload(stored.matrix, {}), x, kRows);
    const auto actual = product(*backend_, *std::move(*backend_->upload_head(stored.matrix, 4, "lm_head")), x, kRows);
    for (std::size_t row = 0; row < kRows; ++row) {
      const auto ours = row_of(actual, row, kOut);
      const auto theirs = row_of(exact, row, kOut);
      std::size_t near = 0;
      for (std::size_t n = 0; n < kOut; ++n) near += std::abs(ours[n] - theirs[n]) < 1e-4 ? 1 : 0;
      EXPECT_GE(near, kRepairedOutputs);
      EXPECT_EQ(std::ranges::max_element(ours) - ours.begin(), std::ranges::max_element(theirs) - theirs.begin());
      EXPECT_NEAR(*std::ranges::max_element(ours), *std::ranges::max_element(theirs), 1e-4);
    }
  }
}

TEST_P(HeadTest, SizesThatCodesCannotHaveAreRefused) {
  const Stored odd = random_weights(10, 20, DenseType::f32, random_);
  for (const unsigned bits : {4U, 8U}) {
    const auto head = backend_->upload_head(odd.matrix, bits, "lm_head");
    ASSERT_TRUE(head.has_error());
    EXPECT_NE(head.error().message.find("lm_head"), std::string::npos) << head.error().message;
  }
}

INSTANTIATE_TEST_SUITE_P(All, HeadTest, ::testing::ValuesIn(all_candidates()), candidate_name);

class CudaHeadTest : public ::testing::TestWithParam<CudaTarget> {
 protected:
  void SetUp() override {
    if (GetParam() == CudaTarget::emulator && !kHasFibers) GTEST_SKIP() << "no emulator under this sanitizer";
    if (make() == nullptr) GTEST_SKIP() << "no GPU answers on this machine";
  }
  static std::unique_ptr<Backend> make() {
    if (GetParam() == CudaTarget::gpu) return find_cuda_backend();
    return make_cuda_backend(cuda::make_emulated_device(), "cuda-emulated");
  }
  void check(unsigned bits);
  std::mt19937 random_{42};  // NOLINT
};

/// Half a byte or one of each weight, and exactly the greatest outputs are repaired.
void CudaHeadTest::check(unsigned bits) {
  const Stored stored = random_weights(640, 256, DenseType::f16, random_);
  const auto backend = make();
  const auto head = std::move(*backend->upload_head(stored.matrix, bits, "lm_head"));
  EXPECT_LT(head->bytes(), 640 * 256 * bits / 8 * 1.1) << "codes and scales";
  // More rows than one fetch holds would need megabytes; two launches of the product do.
  const std::size_t rows = 40;
  const auto x = random_values(rows * 256, random_);
  const auto packed = quantise_rows(stored.matrix, 128, "head", bits);
  const auto rounded = product(*backend, *backend->upload(*make_gptq_matrix(packed->tensors(), 128)), x, rows);
  const auto repaired = product(*backend, *head, x, rows);
  for (std::size_t row = 0; row < rows; ++row) {
    std::vector<std::size_t> order(640);
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::sort(order,
                      [&](std::size_t a, std::size_t b) { return rounded[row * 640 + a] > rounded[row * 640 + b]; });
    for (std::size_t i = 0; i < order.size(); ++i) {
      double exact = 0;
      for (std::size_t k = 0; k < 256; ++k) {
        exact += static_cast<double>(x[row * 256 + k]) * stored.matrix.at(order[i], k);
      }
      const float actual = repaired[row * 640 + order[i]];
      if (i < kRepairedOutputs) {
        ASSERT_NEAR(actual, exact, 1e-5) << row << " " << i;
      } else {
        ASSERT_EQ(actual, rounded[row * 640 + order[i]]) << row << " " << i;
      }
    }
  }
}

TEST_P(CudaHeadTest, RepairsExactlyTheGreatestOfFourBits) {
  check(4);
}
TEST_P(CudaHeadTest, RepairsExactlyTheGreatestOfEightBits) {
  check(8);
}

INSTANTIATE_TEST_SUITE_P(All, CudaHeadTest, ::testing::ValuesIn(cuda_targets()), cuda_target_name);

}  // namespace
}  // namespace kernels
