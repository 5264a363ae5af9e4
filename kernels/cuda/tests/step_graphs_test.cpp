// Decode steps that are recorded and replayed give the bits of steps that are launched, whatever changes between them:
// positions, pages, the number of rows, workspaces that move.
#include "kernels/cuda/step_graphs.hpp"

#include <gtest/gtest.h>

#include "kernels/rope.hpp"
#include "kernels/tests/backends.hpp"

namespace kernels {
namespace {

constexpr std::size_t kDim = 16, kHidden = 2 * kDim;
constexpr KvShape kShape{.layers = 1, .blocks = 80, .block_tokens = 16, .kv_heads = 1, .head_dim = kDim};

/// One layer's attention over two sequences, without the MLP.
class Layer {
 public:
  explicit Layer(std::unique_ptr<Backend> backend) : backend_(std::move(backend)) {
    std::mt19937 random(9);  // NOLINT
    const auto upload = [&](std::size_t out) {
      const GptqPacked packed = random_packed({kHidden, out, 32, false}, random);
      return backend_->upload(*make_gptq_matrix(packed.tensors(), 32));
    };
    qkv_ = upload(4 * kDim);
    o_ = upload(kHidden);
    cache_ = backend_->make_kv_cache(kShape);
    const auto make = [&](std::size_t cols) { return backend_->make_buffer(300 * cols); };
    x_ = make(kHidden);
    normed_ = make(kHidden);
    joined_ = make(4 * kDim);
    mixed_ = make(kHidden);
    weight_ = backend_->make_buffer(kHidden);
    backend_->write(rows_of(*weight_, 1, kHidden), random_values(kHidden, random));
  }

  /// The residual stream and the normed one after a step.
  std::vector<float> step(const std::vector<SequenceRows>& sequences, std::uint64_t key) {
    const auto batch = backend_->plan(sequences, frequencies_, kShape);
    const std::size_t rows = batch->rows();
    backend_->write(rows_of(*x_, rows, kHidden), random_values(rows * kHidden, random_));
    backend_->repeat(key, *batch, [&] {
      ++runs_;
      const Rows x = rows_of(*x_, rows, kHidden);
      const Rows normed = rows_of(*normed_, rows, kHidden);
      const Rows qkv = rows_of(*joined_, rows, 4 * kDim);
      const Rows mixed = rows_of(*mixed_, rows, kHidden);
      backend_->rmsnorm(x, rows_of(*weight_, 1, kHidden), 1e-6F, normed);
      backend_->matmul(*qkv_, normed, qkv);
      backend_->rope_and_store(*batch, *cache_, 0, qkv.columns(0, 2 * kDim), qkv.columns(2 * kDim, kDim),
                               qkv.columns(3 * kDim, kDim));
      backend_->attention(*batch, *cache_, 0, qkv.columns(0, 2 * kDim), mixed);
      backend_->matmul(*o_, mixed, normed);
      backend_->add_rmsnorm(normed, x, rows_of(*weight_, 1, kHidden), 1e-6F, normed);
    });
    auto all = values_of(*backend_, rows_of(*x_, rows, kHidden));
    const auto normed = values_of(*backend_, rows_of(*normed_, rows, kHidden));
    all.insert(all.end(), normed.begin(), normed.end());
    return all;
  }
  /// A product that needs more workspace than any of the layer.
  void grow() {
    std::mt19937 random(10);  // NOLINT
    const GptqPacked packed = random_packed({2048, 8, 128, false}, random);
    std::vector<float> y(8);
    backend_->matmul(*backend_->upload(*make_gptq_matrix(packed.tensors(), 128)), random_values(2048, random), 1, y);
  }
  int runs() const { return runs_; }

 private:
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<const WeightMatrix> qkv_, o_;
  std::unique_ptr<KvCache> cache_;
  std::unique_ptr<Buffer> x_, normed_, joined_, mixed_, weight_;
  std::vector<float> frequencies_ = rope_frequencies({.head_dim = kDim});
  std::mt19937 random_{21};  // NOLINT
  int runs_ = 0;
};

class StepGraphsTest : public ::testing::TestWithParam<CudaTarget> {
 protected:
  void SetUp() override {
    if (GetParam() == CudaTarget::emulator && !kHasFibers) GTEST_SKIP() << "no emulator under this sanitizer";
    if (make(StepLaunch::one_by_one) == nullptr) GTEST_SKIP() << "no GPU answers on this machine";
  }
  static std::unique_ptr<Backend> make(StepLaunch launch) {
    const CudaOptions options{.step_launch = launch};
    if (GetParam() == CudaTarget::gpu) return find_cuda_backend(options);
    return make_cuda_backend(cuda::make_emulated_device(), "cuda-emulated", options);
  }
};

TEST_P(StepGraphsTest, ReplayedStepsHaveTheBitsOfLaunchedOnes) {
  Layer launched(make(StepLaunch::one_by_one)), recorded(make(StepLaunch::recorded));
  std::vector<std::int32_t> one(32), other(32);
  for (std::int32_t i = 0; i < 32; ++i) {
    one[static_cast<std::size_t>(i)] = 79 - i;
    other[static_cast<std::size_t>(i)] = i;
  }
  const auto expect_same = [&](const std::vector<SequenceRows>& sequences, const char* what) {
    ASSERT_EQ(recorded.step(sequences, 1), launched.step(sequences, 1)) << what;
  };
  expect_same({{250, 0, one}, {3, 0, other}}, "prompts are not recorded");
  const int before = recorded.runs();
  std::size_t steps = 0;
  for (std::size_t i = 0; i < 12; ++i, ++steps) {  // past the end of a run of 256 positions
    expect_same({{1, 250 + i, one}, {1, 3 + i, other}}, "two rows");
    if (i == 3) {
      launched.grow();
      recorded.grow();
    }
  }
  for (std::size_t i = 12; i < 16; ++i, ++steps) expect_same({{1, 250 + i, one}}, "one row");
  for (std::size_t i = 15; i < 18; ++i, ++steps) expect_same({{1, i, other}, {1, 251 + i, one}}, "the other way round");
  // Three forms (two rows within a run and beyond it, one row), each run once and recorded once, and one again after
  // the workspaces moved.
  EXPECT_EQ(recorded.runs() - before, 7);
  EXPECT_EQ(static_cast<std::size_t>(launched.runs()) - static_cast<std::size_t>(before), steps);
}

TEST_P(StepGraphsTest, StepsOfDifferentKeysAreKeptApart) {
  Layer launched(make(StepLaunch::one_by_one)), recorded(make(StepLaunch::recorded));
  const std::vector<std::int32_t> table{5, 6};
  for (std::size_t i = 0; i < 8; ++i) {
    const std::vector<SequenceRows> sequences{{1, i, table}};
    ASSERT_EQ(recorded.step(sequences, i % 2), launched.step(sequences, i % 2)) << i;
  }
  EXPECT_EQ(recorded.runs(), 4);
}

TEST_P(StepGraphsTest, MoreFormsThanAreKeptStartAnew) {
  Layer launched(make(StepLaunch::one_by_one)), recorded(make(StepLaunch::recorded));
  const std::vector<std::int32_t> table{5, 6};
  for (std::uint64_t key = 0; key < cuda::StepGraphs::kMost + 2; ++key) {
    ASSERT_EQ(recorded.step({{1, 0, table}}, key), launched.step({{1, 0, table}}, key)) << key;
  }
  ASSERT_EQ(recorded.step({{1, 1, table}}, 0), launched.step({{1, 1, table}}, 0));
  EXPECT_EQ(recorded.runs(), launched.runs()) << "the first key has been forgotten";
}

INSTANTIATE_TEST_SUITE_P(All, StepGraphsTest, ::testing::ValuesIn(cuda_targets()), cuda_target_name);

}  // namespace
}  // namespace kernels
