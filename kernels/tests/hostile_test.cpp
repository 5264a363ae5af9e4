// Sizes and indices that do not fit stop the program, in every backend, instead of reading elsewhere.
#include <gtest/gtest.h>

#include "kernels/rope.hpp"
#include "kernels/tests/backends.hpp"

namespace kernels {
namespace {

class HostileDeathTest : public ::testing::TestWithParam<Candidate> {
 protected:
  void SetUp() override {
    ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
    if (!backend_->available()) GTEST_SKIP();
  }
  /// A plan for one sequence on a shape of 4 blocks of 16.
  void plan(std::size_t rows, std::size_t position, std::vector<std::int32_t> blocks, std::size_t frequencies = 4) {
    const std::vector<SequenceRows> sequences{{rows, position, blocks}};
    (void)backend_->plan(sequences, std::vector<float>(frequencies, 1.0F), shape_);
  }
  std::unique_ptr<Backend> backend_ = GetParam().make();
  std::unique_ptr<Buffer> small_ = backend_->make_buffer(8);
  std::unique_ptr<Buffer> other_ = backend_->make_buffer(64);
  KvShape shape_{.layers = 1, .blocks = 4, .block_tokens = 16, .kv_heads = 1, .head_dim = 8};
};

TEST_P(HostileDeathTest, RowsOutsideTheirBuffer) {
  const Rows good = rows_of(*small_, 1, 8);
  const auto norm = [&](const Rows& x) { backend_->rmsnorm(x, good, 1e-5F, x); };
  EXPECT_DEATH(norm(rows_of(*small_, 2, 8)), "Assertion");
  EXPECT_DEATH(norm(Rows{small_.get(), 1, 1, 8, 8}), "Assertion");
  EXPECT_DEATH(norm(Rows{small_.get(), 9, 0, 8, 8}), "Assertion");
  EXPECT_DEATH(norm(Rows{small_.get(), 0, 3, 8, std::size_t{1} << 63U}), "Assertion");
  EXPECT_DEATH(norm(Rows{other_.get(), 0, 2, 8, 4}), "Assertion") << "rows that overlap";
  EXPECT_DEATH(norm(Rows{nullptr, 0, 1, 8, 8}), "Assertion");
  EXPECT_DEATH(backend_->rmsnorm(good, rows_of(*other_, 1, 7), 1e-5F, good), "Assertion");
}

TEST_P(HostileDeathTest, ProductsOfOtherSizes) {
  std::mt19937 random(1);  // NOLINT
  const GptqPacked packed = random_packed({8, 8, 8, false}, random);
  const auto weights = backend_->upload(*make_gptq_matrix(packed.tensors(), 8));
  EXPECT_DEATH(backend_->matmul(*weights, rows_of(*other_, 2, 4), rows_of(*small_, 2, 8)), "Assertion");
  EXPECT_DEATH(backend_->matmul(*weights, rows_of(*other_, 1, 8), rows_of(*small_, 2, 4)), "Assertion");
  const std::vector<float> values(7);
  EXPECT_DEATH(
      (void)backend_->upload(
          DenseMatrix{.data = std::as_bytes(std::span(values)), .out = 2, .in = 4, .type = DenseType::f32}, {}),
      "Assertion");
}

TEST_P(HostileDeathTest, IndicesOutOfRange) {
  const std::vector<float> values(8);
  const auto table = backend_->upload(
      DenseMatrix{.data = std::as_bytes(std::span(values)), .out = 2, .in = 4, .type = DenseType::f32}, {});
  const auto embed = [&](std::int32_t id) { backend_->embed(*table, {&id, 1}, rows_of(*small_, 1, 4)); };
  EXPECT_DEATH(embed(2), "Assertion");
  EXPECT_DEATH(embed(-1), "Assertion");
  const std::int32_t row = 2;
  EXPECT_DEATH(backend_->gather(rows_of(*other_, 2, 4), {&row, 1}, rows_of(*small_, 1, 4)), "Assertion");
  std::vector<float> best(9);
  std::vector<std::int32_t> ids(9);
  EXPECT_DEATH(backend_->top_k(rows_of(*small_, 1, 8), 9, best, ids), "Assertion");
}

TEST_P(HostileDeathTest, BlockTables) {
  EXPECT_DEATH(plan(17, 0, {0}), "Assertion") << "one row too many";
  EXPECT_DEATH(plan(1, 16, {0}), "Assertion");
  EXPECT_DEATH(plan(1, ~std::size_t{0}, {0}), "Assertion");
  EXPECT_DEATH(plan(1, 0, {4}), "Assertion") << "no such block";
  EXPECT_DEATH(plan(1, 0, {-1}), "Assertion");
  EXPECT_DEATH(plan(0, 0, {0}), "Assertion");
  EXPECT_DEATH(plan(1, 0, {0}, 3), "Assertion") << "frequencies of another head";
  EXPECT_DEATH((void)backend_->make_kv_cache({.layers = 1, .blocks = 1, .kv_heads = 1, .head_dim = 7}), "Assertion");
}

INSTANTIATE_TEST_SUITE_P(All, HostileDeathTest,
                         ::testing::Values(Candidate{true, CpuIsa::portable, {}},
                                           Candidate{false, CpuIsa::portable, {Precision::exact, 2}},
                                           Candidate{false, CpuIsa::avx512, {Precision::fast, 1}},
                                           Candidate{false, CpuIsa::portable, {}, CudaTarget::emulator}),
                         candidate_name);

}  // namespace
}  // namespace kernels
