// The panel kernel in AVX2 and FMA. Only the marked functions use those instructions, and they are called only after
// the CPU was asked, so the rest of the program runs anywhere.
#include "kernels/cpu/panel_kernel.hpp"

#if defined(__x86_64__)

#include <immintrin.h>

namespace kernels {
namespace {

#define PLUMBLINE_AVX2 __attribute__((target("avx2,fma")))

constexpr std::size_t kVectors = kPanelColumns / 8;  // of eight floats, per word row

/// Sums of one group for Rows rows. One row alone would wait for its own additions, so it spreads them over Chains
/// independent sums; four rows are independent already.
template <std::size_t Rows, std::size_t Chains>
PLUMBLINE_AVX2 inline void add_group(const std::uint32_t* words, const float* x, std::size_t stride,
                                     std::size_t word_rows, __m256 (&sums)[Rows][kVectors]) {
  __m256 chains[Rows][kVectors][Chains];
  for (auto& row : chains) {
    for (auto& vector : row) {
      for (auto& chain : vector) chain = _mm256_setzero_ps();
    }
  }
  const __m256i mask = _mm256_set1_epi32(15);
  for (std::size_t w = 0; w < word_rows; ++w, words += kPanelColumns, x += kCodesPerWord) {
    __m256i packed[kVectors];
#pragma GCC unroll 2
    for (std::size_t v = 0; v < kVectors; ++v) {
      packed[v] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words + 8 * v));
    }
#pragma GCC unroll 8
    for (std::size_t j = 0; j < kCodesPerWord; ++j) {
#pragma GCC unroll 2
      for (std::size_t v = 0; v < kVectors; ++v) {
        const __m256i shifted = _mm256_srli_epi32(packed[v], static_cast<int>(4 * j));
        const __m256 codes = _mm256_cvtepi32_ps(_mm256_and_si256(shifted, mask));
#pragma GCC unroll 4
        for (std::size_t row = 0; row < Rows; ++row) {
          __m256& chain = chains[row][v][j % Chains];
          chain = _mm256_fmadd_ps(_mm256_broadcast_ss(x + row * stride + j), codes, chain);
        }
      }
    }
  }
  for (std::size_t row = 0; row < Rows; ++row) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      sums[row][v] = chains[row][v][0];
      for (std::size_t c = 1; c < Chains; ++c) sums[row][v] = _mm256_add_ps(sums[row][v], chains[row][v][c]);
    }
  }
}

template <std::size_t Rows, std::size_t Chains>
PLUMBLINE_AVX2 void multiply_rows(const PanelTile& tile) {
  const PanelMatrix& matrix = tile.matrix;
  const std::size_t stride = matrix.word_rows() * kCodesPerWord;
  __m256 totals[Rows][kVectors];
  for (auto& row : totals) {
    for (auto& total : row) total = _mm256_setzero_ps();
  }
  std::size_t begin = 0;
  for (std::size_t g = 0; g < matrix.groups(); ++g) {
    const std::size_t end = matrix.group_ends()[g];
    __m256 sums[Rows][kVectors];
    add_group<Rows, Chains>(matrix.words(tile.panel) + begin * kPanelColumns, tile.x + begin * kCodesPerWord, stride,
                            end - begin, sums);
    for (std::size_t v = 0; v < kVectors; ++v) {
      const std::size_t at = g * kPanelColumns + 8 * v;
      const __m256 scale = _mm256_loadu_ps(matrix.scales(tile.panel) + at);
      const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(matrix.zeros(tile.panel) + at));
      const __m256 zero = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
      for (std::size_t row = 0; row < Rows; ++row) {
        const __m256 x_sum = _mm256_broadcast_ss(tile.sums + row * matrix.groups() + g);
        totals[row][v] = _mm256_fmadd_ps(scale, _mm256_fnmadd_ps(zero, x_sum, sums[row][v]), totals[row][v]);
      }
    }
    begin = end;
  }
  for (std::size_t row = 0; row < Rows; ++row) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      _mm256_storeu_ps(tile.y + row * kPanelColumns + 8 * v, totals[row][v]);
    }
  }
}

void multiply_panel_avx2(const PanelTile& tile) {
  switch (tile.rows) {
    case 1:
      return multiply_rows<1, 4>(tile);
    case 2:
      return multiply_rows<2, 2>(tile);
    case 3:
      return multiply_rows<3, 1>(tile);
    default:
      return multiply_rows<4, 1>(tile);
  }
}

}  // namespace

PanelKernel find_panel_kernel_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? multiply_panel_avx2 : nullptr;
}

}  // namespace kernels

#else

namespace kernels {

PanelKernel find_panel_kernel_avx2() {
  return nullptr;
}

}  // namespace kernels

#endif
