// Sixteen lanes as one AVX-512 register, with VNNI for byte products. Every function is marked with its own target, so
// nothing here can leak into code that runs before the CPU was asked.
#pragma once

#if defined(__x86_64__)

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#define PLUMBLINE_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")))
#define PLUMBLINE_AVX512_INLINE PLUMBLINE_AVX512 __attribute__((always_inline)) inline

namespace kernels::simd_avx512 {

/// Tile sizes that fit 32 registers: rows of x times panels of 16 columns.
inline constexpr std::size_t kExactRows = 6;
inline constexpr std::size_t kFastRows = 8;
inline constexpr std::size_t kPanelsAtOnce = 2;
/// Queries that share the loads of a page: of its keys, and of its values.
inline constexpr std::size_t kScoredAtOnce = 8;
inline constexpr std::size_t kMixedAtOnce = 4;
inline constexpr std::size_t kDenseRows = 4;

struct F32 {
  __m512 v;
};
struct I32 {
  __m512i v;
};
/// 64 bytes: one line of packed codes, or four bytes of x repeated.
struct Line {
  __m512i v;
};

PLUMBLINE_AVX512_INLINE __mmask16 first_lanes(std::size_t n) {
  return static_cast<__mmask16>((1U << n) - 1U);
}
PLUMBLINE_AVX512_INLINE F32 zero() {
  return {_mm512_setzero_ps()};
}
PLUMBLINE_AVX512_INLINE F32 set(float x) {
  return {_mm512_set1_ps(x)};
}
PLUMBLINE_AVX512_INLINE F32 load(const float* p) {
  return {_mm512_loadu_ps(p)};
}
/// The first n lanes (0..16); the others are 0 and their memory is not touched.
PLUMBLINE_AVX512_INLINE F32 load_part(const float* p, std::size_t n) {
  return {_mm512_maskz_loadu_ps(first_lanes(n), p)};
}
PLUMBLINE_AVX512_INLINE F32 load_half(const std::uint16_t* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
PLUMBLINE_AVX512_INLINE F32 load_bf16(const std::uint16_t* p) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16))};
}
PLUMBLINE_AVX512_INLINE void store(float* p, F32 x) {
  _mm512_storeu_ps(p, x.v);
}
PLUMBLINE_AVX512_INLINE void store_part(float* p, F32 x, std::size_t n) {
  _mm512_mask_storeu_ps(p, first_lanes(n), x.v);
}
PLUMBLINE_AVX512_INLINE F32 add(F32 a, F32 b) {
  return {_mm512_add_ps(a.v, b.v)};
}
PLUMBLINE_AVX512_INLINE F32 sub(F32 a, F32 b) {
  return {_mm512_sub_ps(a.v, b.v)};
}
PLUMBLINE_AVX512_INLINE F32 mul(F32 a, F32 b) {
  return {_mm512_mul_ps(a.v, b.v)};
}
PLUMBLINE_AVX512_INLINE F32 div(F32 a, F32 b) {
  return {_mm512_div_ps(a.v, b.v)};
}
/// a * b + c in one rounding.
PLUMBLINE_AVX512_INLINE F32 fma(F32 a, F32 b, F32 c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
PLUMBLINE_AVX512_INLINE F32 max(F32 a, F32 b) {
  return {_mm512_max_ps(a.v, b.v)};
}
PLUMBLINE_AVX512_INLINE F32 min(F32 a, F32 b) {
  return {_mm512_min_ps(a.v, b.v)};
}
PLUMBLINE_AVX512_INLINE F32 magnitude(F32 a) {
  return {_mm512_abs_ps(a.v)};
}
/// Lanes below n of x, the others of `rest`.
PLUMBLINE_AVX512_INLINE F32 keep_first(F32 x, std::size_t n, F32 rest) {
  return {_mm512_mask_blend_ps(first_lanes(n), rest.v, x.v)};
}
/// 256-bit halves, then quarters, ...: the order every instruction set here uses.
PLUMBLINE_AVX512_INLINE float sum(F32 x) {
  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(x.v), _mm512_extractf32x8_ps(x.v, 1));
  const __m128 quarter = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  const __m128 pair = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
  return _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
}
/// The sums of four, each in that order: for short rows this is most of the work.
PLUMBLINE_AVX512_INLINE void sum_four(const F32* x, float* to) {
  __m256 half[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    half[i] = _mm256_add_ps(_mm512_castps512_ps256(x[i].v), _mm512_extractf32x8_ps(x[i].v, 1));
  }
  const __m256 first =
      _mm256_add_ps(_mm256_permute2f128_ps(half[0], half[1], 0x20), _mm256_permute2f128_ps(half[0], half[1], 0x31));
  const __m256 second =
      _mm256_add_ps(_mm256_permute2f128_ps(half[2], half[3], 0x20), _mm256_permute2f128_ps(half[2], half[3], 0x31));
  // Quarters: x0, x1 in one, x2, x3 in the other; then pairs side by side: x0 . x2 . | x1 . x3 .
  const __m256d a = _mm256_castps_pd(first), b = _mm256_castps_pd(second);
  const __m256 pairs =
      _mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(a, b)), _mm256_castpd_ps(_mm256_unpackhi_pd(a, b)));
  const __m256 sums = _mm256_add_ps(pairs, _mm256_movehdup_ps(pairs));
  _mm_storeu_ps(to, _mm256_castps256_ps128(_mm256_permutevar8x32_ps(sums, _mm256_setr_epi32(0, 4, 2, 6, 0, 4, 2, 6))));
}
PLUMBLINE_AVX512_INLINE float largest(F32 x) {
  const __m256 half = _mm256_max_ps(_mm512_castps512_ps256(x.v), _mm512_extractf32x8_ps(x.v, 1));
  const __m128 quarter = _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  const __m128 pair = _mm_max_ps(quarter, _mm_movehl_ps(quarter, quarter));
  return _mm_cvtss_f32(_mm_max_ss(pair, _mm_movehdup_ps(pair)));
}
/// Whether any lane of x is greater than the same lane of y.
PLUMBLINE_AVX512_INLINE bool any_greater(F32 x, F32 y) {
  return _mm512_cmp_ps_mask(x.v, y.v, _CMP_GT_OQ) != 0;
}

PLUMBLINE_AVX512_INLINE I32 izero() {
  return {_mm512_setzero_si512()};
}
PLUMBLINE_AVX512_INLINE I32 iset(std::int32_t x) {
  return {_mm512_set1_epi32(x)};
}
PLUMBLINE_AVX512_INLINE I32 load_u8(const std::uint8_t* p) {
  return {_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
PLUMBLINE_AVX512_INLINE I32 iadd(I32 a, I32 b) {
  return {_mm512_add_epi32(a.v, b.v)};
}
PLUMBLINE_AVX512_INLINE I32 isub(I32 a, I32 b) {
  return {_mm512_sub_epi32(a.v, b.v)};
}
PLUMBLINE_AVX512_INLINE I32 imul(I32 a, I32 b) {
  return {_mm512_mullo_epi32(a.v, b.v)};
}
PLUMBLINE_AVX512_INLINE std::int32_t isum(I32 x) {
  return _mm512_reduce_add_epi32(x.v);
}
PLUMBLINE_AVX512_INLINE F32 to_floats(I32 x) {
  return {_mm512_cvtepi32_ps(x.v)};
}
/// To nearest, ties to even; |x| below 2^22.
PLUMBLINE_AVX512_INLINE I32 to_ints(F32 x) {
  return {_mm512_cvtps_epi32(x.v)};
}
/// 2^n for n in -126..127.
PLUMBLINE_AVX512_INLINE F32 power_of_two(I32 n) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(n.v, _mm512_set1_epi32(127)), 23))};
}
PLUMBLINE_AVX512_INLINE void store_i8(std::int8_t* p, I32 x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(x.v));
}

PLUMBLINE_AVX512_INLINE void prefetch(const void* p) {
  _mm_prefetch(p, _MM_HINT_T0);
}
PLUMBLINE_AVX512_INLINE Line load_line(const std::uint8_t* p) {
  return {_mm512_loadu_si512(p)};
}
PLUMBLINE_AVX512_INLINE Line low_nibbles(Line x) {
  return {_mm512_and_si512(x.v, _mm512_set1_epi8(15))};
}
PLUMBLINE_AVX512_INLINE Line high_nibbles(Line x) {
  return {_mm512_and_si512(_mm512_srli_epi16(x.v, 4), _mm512_set1_epi8(15))};
}
/// Four bytes, sixteen times.
PLUMBLINE_AVX512_INLINE Line repeat4(const std::int8_t* p) {
  std::int32_t word;
  __builtin_memcpy(&word, p, sizeof word);
  return {_mm512_set1_epi32(word)};
}
/// acc[lane] += sum over four of codes (unsigned) * x (signed). Codes up to 255.
/// Written out because g++ 12 copies the sum to another register around its own intrinsic, and then runs out of them.
PLUMBLINE_AVX512_INLINE I32 dot_bytes(I32 acc, Line codes, Line x) {
  asm("vpdpbusd %2, %1, %0" : "+v"(acc.v) : "v"(codes.v), "v"(x.v));
  return acc;
}
/// The same; other instruction sets make use of codes up to 15.
PLUMBLINE_AVX512_INLINE I32 dot_nibbles(I32 acc, Line codes, Line x) {
  return dot_bytes(acc, codes, x);
}
/// Bits Shift .. Shift + 3 of each 32-bit lane, less 8.
template <int Shift>
PLUMBLINE_AVX512_INLINE F32 nibble_less_8(Line x) {
  // The permutation looks at four bits of each index only: no mask is needed.
  const __m512 table = _mm512_setr_ps(-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7);
  return {_mm512_permutexvar_ps(_mm512_srli_epi32(x.v, Shift), table)};
}
/// Bits Shift .. Shift + 7 of each 32-bit lane, less 128.
template <int Shift>
PLUMBLINE_AVX512_INLINE F32 byte_less_128(Line x) {
  const __m512i code = _mm512_and_si512(_mm512_srli_epi32(x.v, Shift), _mm512_set1_epi32(255));
  return {_mm512_cvtepi32_ps(_mm512_sub_epi32(code, _mm512_set1_epi32(128)))};
}

}  // namespace kernels::simd_avx512

#endif
