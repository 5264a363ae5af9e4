// Every backend and mode against the golden products, and against the definition over shapes and odd sizes.
#include "kernels/backend.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "kernels/tests/backends.hpp"
#include "kernels/tests/golden_gptq.hpp"

namespace kernels {
namespace {

using ::testing::ElementsAreArray;

class QuantisedTest : public EveryBackend {};

std::vector<float> multiply(Backend& backend, const GptqMatrix& matrix, std::span<const float> x, std::size_t rows) {
  std::vector<float> y(rows * matrix.out(), NAN);
  backend.matmul(*backend.upload(matrix), x, rows, y);
  return y;
}

/// What one output should be, and how far a mode may be off.
struct Expected {
  double value = 0;
  double exact_error = 0;  ///< float rounding of terms as large as a code can be
  double fast_error = 0;   ///< half a step of 1/127 of the largest input of each block, plus the above
};

Expected expect(const GptqMatrix& matrix, std::span<const float> x, std::size_t n) {
  Expected expected;
  std::vector<std::vector<std::size_t>> members(matrix.groups());
  for (std::size_t k = 0; k < matrix.in(); ++k) members[matrix.group(k)].push_back(k);
  for (std::size_t g = 0; g < members.size(); ++g) {
    for (std::size_t begin = 0; begin < members[g].size(); begin += 128) {
      double peak = 0;
      double weights = 0;
      for (std::size_t i = begin; i < std::min(begin + 128, members[g].size()); ++i) {
        const std::size_t k = members[g][i];
        const double w = matrix.weight(k, n);
        expected.value += w * x[k];
        expected.exact_error += 5e-7 * std::abs(x[k]) * matrix.scale(g, n) * (1U << matrix.bits());
        peak = std::max(peak, std::abs(static_cast<double>(x[k])));
        weights += std::abs(w);
      }
      expected.fast_error += peak / 254 * weights;
    }
  }
  expected.fast_error += expected.exact_error;
  return expected;
}

void expect_agreement(Backend& backend, bool fast, const GptqMatrix& matrix, std::span<const float> x, std::size_t rows,
                      std::size_t column_step) {
  const auto y = multiply(backend, matrix, x, rows);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t n = 0; n < matrix.out(); n += column_step) {
      const Expected expected = expect(matrix, x.subspan(row * matrix.in(), matrix.in()), n);
      const double bound = fast ? expected.fast_error : expected.exact_error;
      ASSERT_LE(std::abs(y[row * matrix.out() + n] - expected.value), bound)
          << matrix.in() << "x" << matrix.out() << " rows " << rows << " at [" << row << ", " << n << "]";
    }
  }
}

TEST_P(QuantisedTest, GoldenProducts) {
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
  const auto expect_product = [this](const std::vector<float>& y, const auto& expected) {
    if (GetParam().fast()) {
      for (std::size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], expected[i], 0.05) << i;
    } else {
      EXPECT_THAT(y, ElementsAreArray(expected));
    }
  };
  expect_product(product(golden::kSymmetricZeros, GptqVersion::v1, {}), golden::kSymmetricY);
  expect_product(product(golden::kAsymmetricZeros, GptqVersion::v1, {}), golden::kAsymmetricY);
  expect_product(product(golden::kAsymmetricZeros, GptqVersion::v2, {}), golden::kAsymmetricY);
  expect_product(product(golden::kAsymmetricZeros, GptqVersion::v1, golden::kScattered), golden::kScatteredY);
}

TEST_P(QuantisedTest, AgreesWithTheDefinitionOverShapes) {
  const std::vector<LayerShape> shapes{{8, 8, 8, false},
                                       {8, 8, 0, false},
                                       {128, 16, 128, false},
                                       {24, 40, 16, false},
                                       {64, 24, 12, true},
                                       {40, 8, 20, true},
                                       {256, 48, 128, true},
                                       {384, 72, 64, false},
                                       {136, 32, 128, true},
                                       {512, 72, 128, true},
                                       {512, 40, 0, false},
                                       {256, 24, 32, true},
                                       {4, 4, 4, false, 8},
                                       {20, 12, 8, true, 8},
                                       {256, 36, 128, false, 8},
                                       {320, 20, 0, false, 8},
                                       {256, 24, 128, true, 4, true},
                                       {384, 44, 128, true, 8, true},
                                       {640, 16, 256, false, 4, true}};
  for (const LayerShape& shape : shapes) {
    const GptqPacked packed = random_packed(shape, random_);
    const auto matrix = make_gptq_matrix(packed.tensors(), shape.group_size);
    ASSERT_TRUE(matrix.has_value()) << matrix.error().message;
    for (const std::size_t rows : {1, 13}) {
      expect_agreement(*backend_, GetParam().fast(), *matrix, random_values(rows * shape.in, random_), rows, 1);
    }
  }
}

TEST_P(QuantisedTest, JoinsPartsAndAddsTheirBias) {
  const std::vector<LayerShape> shapes{{256, 40, 64, false}, {256, 8, 64, false}, {256, 24, 64, false, 4, true}};
  std::vector<GptqPacked> packed;
  std::vector<GptqMatrix> parts;
  for (const LayerShape& shape : shapes) packed.push_back(random_packed(shape, random_));
  for (const GptqPacked& part : packed) parts.push_back(*make_gptq_matrix(part.tensors(), 64));
  ASSERT_TRUE(can_join(parts));
  const auto bias = random_values(72, random_);
  const auto x = random_values(3 * 256, random_);
  const auto joined = backend_->upload(parts, bias);
  EXPECT_EQ(joined->out(), 72U);
  std::vector<float> y(3 * 72, NAN);
  backend_->matmul(*joined, x, 3, y);
  std::size_t column = 0;
  for (const GptqMatrix& part : parts) {
    const auto alone = multiply(*backend_, part, x, 3);
    for (std::size_t row = 0; row < 3; ++row) {
      for (std::size_t n = 0; n < part.out(); ++n) {
        ASSERT_NEAR(y[row * 72 + column + n], alone[row * part.out() + n] + bias[column + n], 1e-6F) << row << " " << n;
      }
    }
    column += part.out();
  }
}

TEST_P(QuantisedTest, NoRowsAndZeroInputs) {
  const GptqPacked packed = random_packed({64, 8, 32, false}, random_);
  const auto matrix = make_gptq_matrix(packed.tensors(), 32);
  EXPECT_TRUE(multiply(*backend_, *matrix, {}, 0).empty());
  const std::vector<float> zeros(2 * 64, 0.0F);
  EXPECT_THAT(multiply(*backend_, *matrix, zeros, 2), ::testing::Each(0.0F));
}

TEST_P(QuantisedTest, ReadsAndWritesPartsOfWiderRows) {
  const GptqPacked packed = random_packed({32, 24, 32, false}, random_);
  const auto matrix = make_gptq_matrix(packed.tensors(), 32);
  const auto x = random_values(4 * 50, random_);
  Filled from(*backend_, x, 4);
  Filled to(*backend_, std::vector<float>(4 * 30, 7.0F), 4);
  backend_->matmul(*backend_->upload(*matrix), from.rows.columns(10, 32), to.rows.columns(3, 24));
  const auto y = values_of(*backend_, to.rows);
  for (std::size_t row = 0; row < 4; ++row) {
    const auto alone = multiply(*backend_, *matrix, std::span(x).subspan(row * 50 + 10, 32), 1);
    for (std::size_t n = 0; n < 30; ++n) {
      const bool outside = n < 3 || n >= 27;
      ASSERT_EQ(y[row * 30 + n], outside ? 7.0F : alone[n - 3]) << row << " " << n;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, QuantisedTest, ::testing::ValuesIn(all_candidates()), candidate_name);

TEST(CanJoin, RefusesOtherInputsBitsAndGroups) {
  std::mt19937 random(1);  // NOLINT
  const auto joins = [&](const LayerShape& other, bool same_order) {
    const GptqPacked a = random_packed({64, 8, 16, true}, random);
    GptqPacked b = random_packed(other, random);
    if (same_order) b.g_idx = a.g_idx;
    const std::vector<GptqMatrix> parts{*make_gptq_matrix(a.tensors(), 16),
                                        *make_gptq_matrix(b.tensors(), other.group_size)};
    return can_join(parts);
  };
  EXPECT_TRUE(joins({64, 16, 16, true}, true));
  EXPECT_FALSE(joins({64, 16, 16, true}, false));
  EXPECT_FALSE(joins({64, 16, 16, false}, false));
  EXPECT_FALSE(joins({64, 16, 32, false}, false));
  EXPECT_FALSE(joins({128, 16, 16, false}, false));
  EXPECT_FALSE(joins({64, 16, 16, true, 8}, true));
  EXPECT_FALSE(can_join({}));
}

/// The matrices of the two served models, joined as an engine joins them; outputs are sampled.
class RealShapes : public ::testing::TestWithParam<LayerShape> {};

TEST_P(RealShapes, AgreeWithTheDefinition) {
  std::mt19937 random(7);  // NOLINT
  const GptqPacked packed = random_packed(GetParam(), random);
  const auto matrix = make_gptq_matrix(packed.tensors(), 128);
  ASSERT_TRUE(matrix.has_value()) << matrix.error().message;
  const auto x = random_values(2 * GetParam().in, random);
  for (const CpuIsa isa : {CpuIsa::avx512, CpuIsa::avx2, CpuIsa::portable}) {
    for (const Precision precision : {Precision::exact, Precision::fast}) {
      const auto backend = make_cpu_backend(isa, {precision, 2});
      if (!backend->available()) continue;
      SCOPED_TRACE(std::string(backend->name()));
      expect_agreement(*backend, precision == Precision::fast, *matrix, x, 2, GetParam().out / 16 - 1);
    }
  }
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kShrink = 8;  // outputs only: a sanitized debug build is fifty times slower
#else
constexpr std::size_t kShrink = 1;
#endif
LayerShape qwen2(std::size_t in, std::size_t out) {
  return {in, out / kShrink, 128, false, 4, true};
}
LayerShape llama3(std::size_t in, std::size_t out) {
  return {in, out / kShrink, 128, true, 4, true};
}
INSTANTIATE_TEST_SUITE_P(Qwen2_7B, RealShapes,
                         ::testing::Values(qwen2(3584, 4608), qwen2(3584, 3584), qwen2(3584, 37888),
                                           qwen2(18944, 3584)));
INSTANTIATE_TEST_SUITE_P(Llama3_8B, RealShapes,
                         ::testing::Values(llama3(4096, 6144), llama3(4096, 4096), llama3(4096, 28672),
                                           llama3(14336, 4096)));

TEST(AvailableBackends, EndsWithTheReferenceAndHoldsOnlyWhatRuns) {
  const auto backends = available_backends();
  ASSERT_GE(backends.size(), 2U);
  EXPECT_EQ(backends.back()->name(), "reference");
  EXPECT_EQ(backends[backends.size() - 2]->name(), "cpu-portable");
  for (const auto& backend : backends) EXPECT_TRUE(backend->available()) << backend->name();
}

}  // namespace
}  // namespace kernels
