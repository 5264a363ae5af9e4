// The promise of both precisions: a row's bits do not depend on the rows beside it, the number of threads, or (as far
// as cpu_backend.hpp says) the instruction set.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "kernels/tests/backends.hpp"

namespace kernels {
namespace {

constexpr std::size_t kRows = 29;  // several tiles and a rest, for every instruction set

std::vector<float> product(const Candidate& candidate, const GptqMatrix& matrix, std::span<const float> x,
                           std::size_t rows) {
  const auto backend = candidate.make();
  std::vector<float> y(rows * matrix.out());
  backend->matmul(*backend->upload(matrix), x, rows, y);
  return y;
}

class RowInvariance : public EveryBackend {};

TEST_P(RowInvariance, QuantisedRowsAloneAndInBatches) {
  for (const LayerShape& shape : {LayerShape{256, 88, 128, true}, LayerShape{384, 104, 32, false, 4, true},
                                  LayerShape{256, 36, 128, true, 8}, LayerShape{1024, 1000, 128, false, 4, true}}) {
    if (GetParam().cuda == CudaTarget::emulator && shape.out > 500) continue;  // every instruction is a function call
    const GptqPacked packed = random_packed(shape, random_);
    const auto matrix = make_gptq_matrix(packed.tensors(), shape.group_size);
    const auto x = random_values(kRows * shape.in, random_);
    const auto together = product(GetParam(), *matrix, x, kRows);
    const auto weights = backend_->upload(*matrix);
    for (const std::size_t batch : {1, 2, 7, 16}) {
      std::vector<float> apart(kRows * shape.out);
      for (std::size_t row = 0; row < kRows; row += batch) {
        const std::size_t count = std::min(batch, kRows - row);
        backend_->matmul(*weights, std::span(x).subspan(row * shape.in, count * shape.in), count,
                         std::span(apart).subspan(row * shape.out, count * shape.out));
      }
      ASSERT_EQ(std::memcmp(apart.data(), together.data(), apart.size() * sizeof(float)), 0)
          << shape.in << "x" << shape.out << " in batches of " << batch;
    }
  }
}

TEST_P(RowInvariance, WhatIsNoNumberSpoilsItsOwnRowAndAllOfIt) {
  constexpr std::size_t kIn = 256, kOut = 40, kFew = 5, kSpoiled = 2;
  const GptqPacked packed = random_packed({kIn, kOut, 128, true}, random_);
  const auto matrix = make_gptq_matrix(packed.tensors(), 128);
  auto x = random_values(kFew * kIn, random_);
  const auto sound = product(GetParam(), *matrix, x, kFew);
  for (const float strange : {NAN, INFINITY, -INFINITY}) {
    for (const std::size_t at : {0, 15, 128, 255}) {
      auto spoiled = x;
      spoiled[kSpoiled * kIn + at] = strange;
      const auto y = product(GetParam(), *matrix, spoiled, kFew);
      for (std::size_t i = 0; i < y.size(); ++i) {
        if (i / kOut == kSpoiled) {
          ASSERT_FALSE(std::isfinite(y[i])) << strange << " at " << at << ", output " << i % kOut;
        } else {
          ASSERT_EQ(y[i], sound[i]) << strange << " at " << at;
        }
      }
    }
  }
}

TEST_P(RowInvariance, DenseRowsAloneAndInBatches) {
  const auto values = random_values(200 * 150, random_);
  const DenseMatrix dense{.data = std::as_bytes(std::span(values)), .out = 150, .in = 200, .type = DenseType::f32};
  const auto weights = backend_->upload(dense, {});
  const auto x = random_values(kRows * 200, random_);
  std::vector<float> together(kRows * 150), apart(kRows * 150);
  backend_->matmul(*weights, x, kRows, together);
  for (std::size_t row = 0; row < kRows; ++row) {
    backend_->matmul(*weights, std::span(x).subspan(row * 200, 200), 1, std::span(apart).subspan(row * 150, 150));
  }
  EXPECT_EQ(apart, together);
}

INSTANTIATE_TEST_SUITE_P(All, RowInvariance, ::testing::ValuesIn(all_candidates()), candidate_name);

TEST(Invariance, ThreadsAndInstructionSetsGiveTheSameBits) {
  std::mt19937 random(3);  // NOLINT
  const LayerShape shape{512, 600, 128, true};
  const GptqPacked packed = random_packed(shape, random);
  const auto matrix = make_gptq_matrix(packed.tensors(), 128);
  const auto x = random_values(kRows * shape.in, random);
  std::size_t compared = 0;
  for (const Precision precision : {Precision::exact, Precision::fast}) {
    std::vector<float> first;
    for (const CpuIsa isa : {CpuIsa::avx512, CpuIsa::avx2, CpuIsa::portable}) {
      // Portable has no fused multiply-add: its exact sums round differently.
      if (isa == CpuIsa::portable && precision == Precision::exact) first.clear();
      for (const std::size_t threads : {1, 2, 4}) {
        const Candidate candidate{false, isa, {precision, threads}};
        if (!candidate.make()->available()) continue;
        const auto y = product(candidate, *matrix, x, kRows);
        if (first.empty()) first = y;
        ASSERT_EQ(y, first) << candidate.make()->name() << " threads " << threads
                            << (candidate.fast() ? " fast" : " exact");
        ++compared;
      }
    }
  }
  EXPECT_GE(compared, 6U);
}

/// What follows a norm in a layer: one product for gate and up, the activation, the product of that.
struct Mlp {
  GptqPacked gate, up, down;

  std::vector<float> run(Backend& backend, std::span<const float> x, std::size_t rows) const {
    const std::size_t inner = gate.out, in = gate.in;
    const std::vector<GptqMatrix> halves{*make_gptq_matrix(gate.tensors(), 128), *make_gptq_matrix(up.tensors(), 128)};
    const auto both = backend.upload(halves, {});
    const auto last = backend.upload(*make_gptq_matrix(down.tensors(), 32));
    const Filled from(backend, x, rows);
    const auto middle = backend.make_buffer(rows * 2 * inner), out = backend.make_buffer(rows * in);
    const Rows gate_up = rows_of(*middle, rows, 2 * inner), y = rows_of(*out, rows, in);
    for (int step = 0; step < 2; ++step) {  // the second one knows what it will read
      backend.matmul(*both, from.rows, gate_up);
      backend.silu_mul(gate_up.columns(0, inner), gate_up.columns(inner, inner), gate_up.columns(0, inner));
      backend.matmul(*last, gate_up.columns(0, inner), y);
    }
    return values_of(backend, y);
  }
};

TEST(Invariance, ThreadsThatShareGateAndUpGiveTheSameBits) {
  constexpr std::size_t kIn = 256, kInner = 2592;  // 81 pairs of panels: no number of threads here divides them
  std::mt19937 random(5);                          // NOLINT
  const Mlp mlp{random_packed({kIn, kInner, 128, false, 4, true}, random),
                random_packed({kIn, kInner, 128, false}, random),
                random_packed({kInner, kIn, 32, false, 4, true}, random)};
  std::size_t compared = 0;
  for (const Precision precision : {Precision::exact, Precision::fast}) {
    for (const CpuIsa isa : {CpuIsa::avx512, CpuIsa::avx2, CpuIsa::portable}) {
      const Candidate alone{false, isa, {precision, 1}};
      if (!alone.make()->available()) continue;
      for (const std::size_t rows : {1, 6, 8, 9}) {
        const auto x = random_values(rows * kIn, random);
        const auto expected = mlp.run(*alone.make(), x, rows);
        for (const std::size_t threads : {2, 4, 7}) {
          const Candidate shared{false, isa, {precision, threads}};
          ASSERT_EQ(mlp.run(*shared.make(), x, rows), expected)
              << alone.make()->name() << " threads " << threads << " rows " << rows;
          ++compared;
        }
      }
      // And those of a matrix that is not joined to another.
      const auto x = random_values(kIn, random);
      const auto up = make_gptq_matrix(mlp.up.tensors(), 128);
      const std::vector<GptqMatrix> halves{*make_gptq_matrix(mlp.gate.tensors(), 128), *up};
      const auto backend = Candidate{false, isa, {precision, 2}}.make();
      std::vector<float> joined(2 * kInner);
      backend->matmul(*backend->upload(halves, {}), x, 1, joined);
      ASSERT_EQ(std::vector<float>(joined.begin() + kInner, joined.end()), product(alone, *up, x, 1));
    }
  }
  EXPECT_GE(compared, 24U);
}

TEST(FastPrecision, KeepsFortyDecibelsOnRandomValues) {
  std::mt19937 random(11);  // NOLINT
  const LayerShape shape{4096, 256, 128, false, 4, true};
  const GptqPacked packed = random_packed(shape, random);
  const auto matrix = make_gptq_matrix(packed.tensors(), 128);
  const auto x = random_values(8 * shape.in, random);
  const auto exact = product({true, CpuIsa::portable, {}}, *matrix, x, 8);
  const auto fast = product({false, CpuIsa::portable, {Precision::fast, 1}}, *matrix, x, 8);
  double signal = 0;
  double noise = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    signal += static_cast<double>(exact[i]) * exact[i];
    noise += static_cast<double>(exact[i] - fast[i]) * (exact[i] - fast[i]);
  }
  EXPECT_GT(signal / noise, 1e4);
  EXPECT_GT(noise, 0) << "fast is not rounded at all: is it fast?";
}

}  // namespace
}  // namespace kernels
