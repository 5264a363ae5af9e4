// What works row by row, in every backend against the reference and against hand-made values.
#include <gmock/gmock.h>

#include <cmath>
#include <cstring>

#include "kernels/tests/backends.hpp"

namespace kernels {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pointwise;

class RowsTest : public EveryBackend {
 protected:
  std::unique_ptr<Backend> reference_ = make_reference_backend();
};

TEST_P(RowsTest, RmsnormOfOneToFour) {
  Filled x(*backend_, std::vector<float>{1, 2, 3, 4}, 1);
  Filled weight(*backend_, std::vector<float>{1, 1, 1, 1}, 1);
  backend_->rmsnorm(x.rows, weight.rows, 1e-5F, x.rows);
  EXPECT_THAT(values_of(*backend_, x.rows),
              Pointwise(FloatNear(2e-7F), std::vector{0.36514813F, 0.73029626F, 1.09544438F, 1.46059251F}));
}

TEST_P(RowsTest, RmsnormAndAddAgreeWithTheReference) {
  for (const std::size_t cols : {1, 15, 16, 40, 896, 3584}) {
    const auto x = random_values(5 * cols, random_, 3);
    const auto delta = random_values(5 * cols, random_);
    const auto weight = random_values(cols, random_);
    const auto run = [&](Backend& backend) {
      Filled residual(backend, x, 5), added(backend, delta, 5), factors(backend, weight, 1), to(backend, x, 5);
      backend.add_rmsnorm(added.rows, residual.rows, factors.rows, 1e-6F, to.rows);
      return std::pair{values_of(backend, residual.rows), values_of(backend, to.rows)};
    };
    const auto expected = run(*reference_);
    const auto actual = run(*backend_);
    EXPECT_EQ(actual.first, expected.first) << cols;  // one addition: the same bits
    EXPECT_THAT(actual.second, Pointwise(FloatNear(2e-6F), expected.second)) << cols;
  }
}

TEST_P(RowsTest, SiluMul) {
  Filled gate(*backend_, std::vector<float>{-3, -1, -0.5F, 0.5F, 1, 3, 0, -200, 200}, 1);
  Filled up(*backend_, std::vector<float>(9, 1.0F), 1);
  backend_->silu_mul(gate.rows, up.rows, up.rows);
  EXPECT_THAT(values_of(*backend_, up.rows),
              Pointwise(FloatNear(1e-6F), std::vector{-0.142277620F, -0.268941421F, -0.188770334F, 0.311229666F,
                                                      0.731058579F, 2.857722380F, 0.0F, 0.0F, 200.0F}));
}

TEST_P(RowsTest, SiluMulOfHalvesOfOneBuffer) {
  const auto values = random_values(3 * 2 * 100, random_, 4);
  const auto run = [&](Backend& backend) {
    Filled both(backend, values, 3), to(backend, std::vector<float>(300), 3);
    backend.silu_mul(both.rows.columns(0, 100), both.rows.columns(100, 100), to.rows);
    return values_of(backend, to.rows);
  };
  const auto expected = run(*reference_);
  const auto actual = run(*backend_);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(actual[i], expected[i], 1e-6F + 1e-6F * std::abs(expected[i])) << i;
  }
}

TEST_P(RowsTest, EmbedAndGather) {
  const std::vector<float> table{0, 1, 2, 10, 11, 12, 20, 21, 22};
  const DenseMatrix weights{.data = std::as_bytes(std::span(table)), .out = 3, .in = 3, .type = DenseType::f32};
  const auto uploaded = backend_->upload(weights, {});
  const auto y = backend_->make_buffer(12);
  backend_->embed(*uploaded, std::vector<std::int32_t>{2, 0, 2, 1}, rows_of(*y, 4, 3));
  EXPECT_THAT(values_of(*backend_, rows_of(*y, 4, 3)), ElementsAre(20, 21, 22, 0, 1, 2, 20, 21, 22, 10, 11, 12));
  const auto z = backend_->make_buffer(6);
  backend_->gather(rows_of(*y, 4, 3), std::vector<std::int32_t>{3, 1}, rows_of(*z, 2, 3));
  EXPECT_THAT(values_of(*backend_, rows_of(*z, 2, 3)), ElementsAre(10, 11, 12, 0, 1, 2));
}

/// Weights of a type from floats, and the floats they stand for.
std::vector<std::byte> encode(DenseType type, std::span<const float> values) {
  std::vector<std::byte> bytes(values.size() * dense_size(type));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t half = type == DenseType::f16 ? to_half(values[i]) : to_bf16(values[i]);
    if (type == DenseType::f32) {
      std::memcpy(bytes.data() + 4 * i, &values[i], 4);
    } else {
      std::memcpy(bytes.data() + 2 * i, &half, 2);
    }
  }
  return bytes;
}

TEST_P(RowsTest, DenseProductsOfEveryTypeAgreeWithTheReference) {
  for (const DenseType type : {DenseType::f32, DenseType::f16, DenseType::bf16}) {
    for (const auto& [in, out] : {std::pair{1U, 1U}, {16U, 4U}, {40U, 33U}, {896U, 130U}, {33U, 7U}}) {
      const auto bytes = encode(type, random_values(std::size_t{in} * out, random_));
      const DenseMatrix weights{.data = bytes, .out = out, .in = in, .type = type};
      const auto bias = random_values(out, random_);
      for (const std::size_t rows : {1, 2, 3, 4, 9}) {
        const auto x = random_values(rows * in, random_);
        std::vector<float> expected(rows * out), actual(rows * out, NAN);
        reference_->matmul(*reference_->upload(weights, bias), x, rows, expected);
        backend_->matmul(*backend_->upload(weights, bias), x, rows, actual);
        const float tolerance = 1e-6F * static_cast<float>(in) + 1e-6F;
        ASSERT_THAT(actual, Pointwise(FloatNear(tolerance), expected)) << in << "x" << out << " rows " << rows;
      }
    }
  }
}

TEST_P(RowsTest, DenseWeightsWithAnOwnerOutliveTheCaller) {
  const auto held = std::make_shared<std::vector<float>>(std::vector<float>{1, 2, 3, 4});
  std::weak_ptr<std::vector<float>> watch = held;
  auto uploaded = backend_->upload(
      DenseMatrix{.data = std::as_bytes(std::span(*held)), .out = 2, .in = 2, .type = DenseType::f32, .owner = held},
      {});
  const_cast<std::shared_ptr<std::vector<float>>&>(held).reset();
  std::vector<float> y(2);
  backend_->matmul(*uploaded, std::vector<float>{1, 10}, 1, y);
  EXPECT_THAT(y, ElementsAre(21, 43));
  uploaded.reset();
  EXPECT_TRUE(watch.expired());
}

TEST_P(RowsTest, TopKAgreesWithTheReference) {
  std::vector<float> x = random_values(4 * 5000, random_);
  for (std::size_t i = 0; i < 5000; ++i) x[5000 + i] = static_cast<float>(i % 7);  // ties everywhere
  for (std::size_t i = 0; i < 5000; ++i) x[10000 + i] = static_cast<float>(i);     // every one is a new greatest
  x[15000] = NAN;
  x[15100] = NAN;
  Filled filled(*backend_, x, 4);
  Filled expected_rows(*reference_, x, 4);
  for (const std::size_t k : {1, 2, 50, 128, 129, 5000}) {
    std::vector<float> values(4 * k), expected_values(4 * k);
    std::vector<std::int32_t> ids(4 * k), expected_ids(4 * k);
    backend_->top_k(filled.rows, k, values, ids);
    reference_->top_k(expected_rows.rows, k, expected_values, expected_ids);
    EXPECT_EQ(ids, expected_ids) << k;
    if (k < 5000) {
      EXPECT_EQ(values, expected_values) << k;  // NaN would differ from itself
    }
  }
}

TEST_P(RowsTest, GreedyTakesTheFirstOfEqualOnes) {
  Filled x(*backend_, std::vector<float>{1, 5, 5, 2, -INFINITY, -INFINITY, -INFINITY, -INFINITY}, 2);
  std::vector<float> values(2);
  std::vector<std::int32_t> ids(2);
  backend_->top_k(x.rows, 1, values, ids);
  EXPECT_THAT(ids, ElementsAre(1, 0));
}

INSTANTIATE_TEST_SUITE_P(All, RowsTest, ::testing::ValuesIn(all_candidates()), candidate_name);

}  // namespace
}  // namespace kernels
