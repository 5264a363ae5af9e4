// Rounding of plain weights to 8 and 4 bits: how far off, what is refused, and that backends take the result.
#include "kernels/int8_rows.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/tests/backends.hpp"

namespace kernels {
namespace {

DenseMatrix view(const std::vector<float>& values, std::size_t out) {
  return {.data = std::as_bytes(std::span(values)), .out = out, .in = values.size() / out, .type = DenseType::f32};
}

TEST(Int8Rows, IsOffByHalfAStepOfEachGroup) {
  std::mt19937 random(4);  // NOLINT
  auto values = random_values(16 * 200, random);
  for (std::size_t k = 0; k < 128; ++k) values[k] = 0;  // a group of zeros
  for (std::size_t k = 200; k < 400; ++k) values[k] *= 1e-4F;
  const DenseMatrix dense = view(values, 16);
  for (const unsigned bits : {8U, 4U}) {
    const auto packed = quantise_rows(dense, 128, "head", bits);
    ASSERT_TRUE(packed.has_value()) << packed.error().message;
    const auto matrix = make_gptq_matrix(packed->tensors(), 128);
    ASSERT_TRUE(matrix.has_value()) << matrix.error().message;
    ASSERT_EQ(matrix->groups(), 2U);
    for (std::size_t n = 0; n < 16; ++n) {
      for (std::size_t k = 0; k < 200; ++k) {
        ASSERT_NEAR(matrix->weight(k, n), dense.at(n, k), 0.5001F * matrix->scale(k / 128, n)) << n << " " << k;
      }
    }
    EXPECT_EQ(matrix->weight(5, 0), 0.0F);
  }
}

TEST(Int8Rows, ProductsKeepTheGreedyChoice) {
  std::mt19937 random(5);  // NOLINT
  const auto values = random_values(1000 * 256, random, 0.05F);
  const auto packed = quantise_rows(view(values, 1000), 128, "head");
  const auto x = random_values(8 * 256, random);
  const auto backend = make_cpu_backend(CpuIsa::portable);
  std::vector<float> exact(8 * 1000), rounded(8 * 1000);
  backend->matmul(*backend->upload(view(values, 1000), {}), x, 8, exact);
  backend->matmul(*backend->upload(*make_gptq_matrix(packed->tensors(), 128)), x, 8, rounded);
  double signal = 0;
  double noise = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    signal += static_cast<double>(exact[i]) * exact[i];
    noise += static_cast<double>(exact[i] - rounded[i]) * (exact[i] - rounded[i]);
  }
  EXPECT_GT(signal / noise, 1e4);
}

TEST(Int8Rows, RefusesWhatItCannotHold) {
  const auto code = [](const std::vector<float>& values, std::size_t out) {
    const auto packed = quantise_rows(view(values, out), 0, "head");
    return packed.has_error() ? label(packed.error().code) : "taken";
  };
  EXPECT_STREQ(code(std::vector<float>(16, 1.0F), 4), "taken");
  EXPECT_STREQ(code(std::vector<float>(12, 1.0F), 4), "unaligned");
  EXPECT_STREQ(code(std::vector<float>(12, 1.0F), 3), "unaligned");
  std::vector<float> bad(16, 1.0F);
  for (const std::size_t at : {4, 5, 7}) {  // wherever in its group of four
    for (const float strange : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      bad.assign(16, 1.0F);
      bad[at] = strange;
      EXPECT_STREQ(code(bad, 4), "scale_not_finite") << strange << " at " << at;
    }
  }
  bad.assign(16, 1.0F);
  bad[7] = 1e8F;
  EXPECT_STREQ(code(bad, 4), "scale_not_finite");
}

}  // namespace
}  // namespace kernels
