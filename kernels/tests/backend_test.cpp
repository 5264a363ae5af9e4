// Every backend against the golden products, and against the reference over shapes and odd sizes.
#include "kernels/backend.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

#include "kernels/cpu/cpu_backend.hpp"
#include "kernels/gptq_pack.hpp"
#include "kernels/reference/reference_backend.hpp"
#include "kernels/tests/golden_gptq.hpp"

namespace kernels {
namespace {

using ::testing::ElementsAreArray;
using MakeBackend = std::unique_ptr<Backend> (*)();

struct Shape {
  std::size_t in;
  std::size_t out;
  std::size_t group_size;  ///< 0: one group
  bool scattered;
};

GptqPlain random_layer(const Shape& shape, std::mt19937& random) {
  const std::size_t size = shape.group_size == 0 ? shape.in : shape.group_size;
  const std::size_t groups = (shape.in - 1) / size + 1;
  GptqPlain plain{.in = shape.in, .out = shape.out, .codes = {}, .zeros = {}, .scales = {}, .g_idx = {}};
  for (std::size_t i = 0; i < shape.in * shape.out; ++i) plain.codes.push_back(random() % 16);
  for (std::size_t i = 0; i < groups * shape.out; ++i) plain.zeros.push_back(random() % 16);
  std::uniform_real_distribution<float> scale(0.001F, 0.01F);
  for (std::size_t i = 0; i < groups * shape.out; ++i) plain.scales.push_back(scale(random));
  if (shape.scattered) {
    for (std::size_t k = 0; k < shape.in; ++k) plain.g_idx.push_back(static_cast<std::int32_t>(k / size));
    std::ranges::shuffle(plain.g_idx, random);
  }
  return plain;
}

std::vector<float> multiply(Backend& backend, const GptqMatrix& matrix, std::span<const float> x, std::size_t rows) {
  std::vector<float> y(rows * matrix.out(), NAN);
  backend.matmul(*backend.upload(matrix), x, rows, y);
  return y;
}

class BackendTest : public ::testing::TestWithParam<MakeBackend> {
 protected:
  void SetUp() override {
    if (!backend_->available()) GTEST_SKIP() << backend_->name() << " cannot run on this machine";
  }
  std::unique_ptr<Backend> backend_ = GetParam()();
};

TEST_P(BackendTest, GoldenProductsExactly) {
  // All golden sums are multiples of 2^-11 and small: exact in float whatever the order.
  const auto product = [this](const auto& zeros, GptqVersion version, std::span<const std::int32_t> g_idx) {
    const GptqPlain plain{.in = golden::kIn,
                          .out = golden::kOut,
                          .codes = {golden::kCodes.begin(), golden::kCodes.end()},
                          .zeros = {zeros.begin(), zeros.end()},
                          .scales = {golden::kScales.begin(), golden::kScales.end()},
                          .g_idx = {g_idx.begin(), g_idx.end()}};
    const GptqPacked packed = pack_gptq(plain, version, "l");
    return multiply(*backend_, *make_gptq_matrix(packed.tensors(), golden::kGroupSize), golden::kX, 1);
  };
  EXPECT_THAT(product(golden::kSymmetricZeros, GptqVersion::v1, {}), ElementsAreArray(golden::kSymmetricY));
  EXPECT_THAT(product(golden::kAsymmetricZeros, GptqVersion::v1, {}), ElementsAreArray(golden::kAsymmetricY));
  EXPECT_THAT(product(golden::kAsymmetricZeros, GptqVersion::v2, {}), ElementsAreArray(golden::kAsymmetricY));
  EXPECT_THAT(product(golden::kAsymmetricZeros, GptqVersion::v1, golden::kScattered),
              ElementsAreArray(golden::kScatteredY));
}

TEST_P(BackendTest, AgreesWithTheReferenceOverShapes) {
  const auto reference = make_reference_backend();
  std::mt19937 random(42);  // NOLINT: the same shapes and values every time
  std::normal_distribution<float> normal;
  const std::vector<Shape> shapes{
      {8, 8, 8, false},  {8, 8, 0, false},     {128, 16, 128, false}, {24, 40, 16, false},  {64, 24, 12, true},
      {40, 8, 20, true}, {256, 48, 128, true}, {384, 72, 64, false},  {136, 32, 128, true}, {1024, 136, 128, true}};
  for (const Shape& shape : shapes) {
    const GptqPacked packed = pack_gptq(random_layer(shape, random), GptqVersion::v1, "l");
    const auto matrix = make_gptq_matrix(packed.tensors(), shape.group_size);
    ASSERT_TRUE(matrix.has_value()) << matrix.error().message;
    for (const std::size_t rows : {1, 2, 3, 4, 5, 9}) {
      std::vector<float> x(rows * shape.in);
      std::ranges::generate(x, [&] { return normal(random); });
      const auto expected = multiply(*reference, *matrix, x, rows);
      const auto actual = multiply(*backend_, *matrix, x, rows);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        // Rounding of `in` float additions of terms up to 15 * 0.01 * |x|.
        const float tolerance = 4e-7F * 0.15F * static_cast<float>(shape.in);
        ASSERT_NEAR(actual[i], expected[i], tolerance)
            << shape.in << "x" << shape.out << " g" << shape.group_size << " rows " << rows << " at " << i;
      }
    }
  }
}

TEST_P(BackendTest, NoRowsIsNoWork) {
  const GptqPacked packed = pack_gptq(GptqPlain{.in = 8,
                                                .out = 8,
                                                .codes = std::vector<std::uint8_t>(64),
                                                .zeros = std::vector<std::uint8_t>(8),
                                                .scales = std::vector<float>(8, 1.0F),
                                                .g_idx = {}},
                                      GptqVersion::v1, "l");
  EXPECT_TRUE(multiply(*backend_, *make_gptq_matrix(packed.tensors(), 8), {}, 0).empty());
}

INSTANTIATE_TEST_SUITE_P(All, BackendTest,
                         ::testing::Values(
                             make_reference_backend, [] { return make_cpu_backend(CpuIsa::portable); },
                             [] { return make_cpu_backend(CpuIsa::avx2); }),
                         [](const auto& instance) {
                           std::string name(instance.param()->name());
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(AvailableBackends, EndsWithTheReferenceAndHoldsOnlyWhatRuns) {
  const auto backends = available_backends();
  ASSERT_GE(backends.size(), 2U);
  EXPECT_EQ(backends.back()->name(), "reference");
  for (const auto& backend : backends) EXPECT_TRUE(backend->available()) << backend->name();
}

}  // namespace
}  // namespace kernels
