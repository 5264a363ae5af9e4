// Sixteen lanes as two AVX2 registers, with FMA and F16C. Lane for lane the same arithmetic as simd_avx512.hpp, so both
// give the same bits. Every function is marked with its own target.
#pragma once

#if defined(__x86_64__)

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#define PLUMBLINE_AVX2 __attribute__((target("avx2,fma,f16c")))
#define PLUMBLINE_AVX2_INLINE PLUMBLINE_AVX2 __attribute__((always_inline)) inline

namespace kernels::simd_avx2 {

/// Tile sizes that fit 16 registers: rows of x times panels of 16 columns.
inline constexpr std::size_t kExactRows = 3;
inline constexpr std::size_t kFastRows = 4;
inline constexpr std::size_t kPanelsAtOnce = 1;
/// Queries that share the loads of a page: of its keys, and of its values.
inline constexpr std::size_t kScoredAtOnce = 2;
inline constexpr std::size_t kMixedAtOnce = 1;
inline constexpr std::size_t kDenseRows = 2;

struct F32 {
  __m256 v[2];
};
struct I32 {
  __m256i v[2];
};
/// 64 bytes: one line of packed codes, or four bytes of x repeated.
struct Line {
  __m256i v[2];
};

PLUMBLINE_AVX2_INLINE F32 zero() {
  return {{_mm256_setzero_ps(), _mm256_setzero_ps()}};
}
PLUMBLINE_AVX2_INLINE F32 set(float x) {
  return {{_mm256_set1_ps(x), _mm256_set1_ps(x)}};
}
PLUMBLINE_AVX2_INLINE F32 load(const float* p) {
  return {{_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}};
}
PLUMBLINE_AVX2_INLINE __m256i lane_mask(std::size_t n, int first) {
  const __m256i lanes = _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(first));
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lanes);
}
/// The first n lanes (0..16); the others are 0 and their memory is not touched.
PLUMBLINE_AVX2_INLINE F32 load_part(const float* p, std::size_t n) {
  return {{_mm256_maskload_ps(p, lane_mask(n, 0)), _mm256_maskload_ps(p + 8, lane_mask(n, 8))}};
}
PLUMBLINE_AVX2_INLINE __m128i load_128(const void* p) {
  return _mm_loadu_si128(static_cast<const __m128i*>(p));
}
PLUMBLINE_AVX2_INLINE F32 load_half(const std::uint16_t* p) {
  return {{_mm256_cvtph_ps(load_128(p)), _mm256_cvtph_ps(load_128(p + 8))}};
}
PLUMBLINE_AVX2_INLINE __m256 widen_bf16(__m128i bits) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
PLUMBLINE_AVX2_INLINE F32 load_bf16(const std::uint16_t* p) {
  return {{widen_bf16(load_128(p)), widen_bf16(load_128(p + 8))}};
}
PLUMBLINE_AVX2_INLINE void store(float* p, F32 x) {
  _mm256_storeu_ps(p, x.v[0]);
  _mm256_storeu_ps(p + 8, x.v[1]);
}
PLUMBLINE_AVX2_INLINE void store_part(float* p, F32 x, std::size_t n) {
  _mm256_maskstore_ps(p, lane_mask(n, 0), x.v[0]);
  _mm256_maskstore_ps(p + 8, lane_mask(n, 8), x.v[1]);
}
PLUMBLINE_AVX2_INLINE F32 add(F32 a, F32 b) {
  return {{_mm256_add_ps(a.v[0], b.v[0]), _mm256_add_ps(a.v[1], b.v[1])}};
}
PLUMBLINE_AVX2_INLINE F32 sub(F32 a, F32 b) {
  return {{_mm256_sub_ps(a.v[0], b.v[0]), _mm256_sub_ps(a.v[1], b.v[1])}};
}
PLUMBLINE_AVX2_INLINE F32 mul(F32 a, F32 b) {
  return {{_mm256_mul_ps(a.v[0], b.v[0]), _mm256_mul_ps(a.v[1], b.v[1])}};
}
PLUMBLINE_AVX2_INLINE F32 div(F32 a, F32 b) {
  return {{_mm256_div_ps(a.v[0], b.v[0]), _mm256_div_ps(a.v[1], b.v[1])}};
}
/// a * b + c in one rounding.
PLUMBLINE_AVX2_INLINE F32 fma(F32 a, F32 b, F32 c) {
  return {{_mm256_fmadd_ps(a.v[0], b.v[0], c.v[0]), _mm256_fmadd_ps(a.v[1], b.v[1], c.v[1])}};
}
PLUMBLINE_AVX2_INLINE F32 max(F32 a, F32 b) {
  return {{_mm256_max_ps(a.v[0], b.v[0]), _mm256_max_ps(a.v[1], b.v[1])}};
}
PLUMBLINE_AVX2_INLINE F32 min(F32 a, F32 b) {
  return {{_mm256_min_ps(a.v[0], b.v[0]), _mm256_min_ps(a.v[1], b.v[1])}};
}
PLUMBLINE_AVX2_INLINE F32 magnitude(F32 a) {
  const __m256 sign = _mm256_set1_ps(-0.0F);
  return {{_mm256_andnot_ps(sign, a.v[0]), _mm256_andnot_ps(sign, a.v[1])}};
}
/// Lanes below n of x, the others of `rest`.
PLUMBLINE_AVX2_INLINE F32 keep_first(F32 x, std::size_t n, F32 rest) {
  return {{_mm256_blendv_ps(rest.v[0], x.v[0], _mm256_castsi256_ps(lane_mask(n, 0))),
           _mm256_blendv_ps(rest.v[1], x.v[1], _mm256_castsi256_ps(lane_mask(n, 8)))}};
}
/// 256-bit halves, then quarters, ...: the order every instruction set here uses.
PLUMBLINE_AVX2_INLINE float sum(F32 x) {
  const __m256 half = _mm256_add_ps(x.v[0], x.v[1]);
  const __m128 quarter = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  const __m128 pair = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
  return _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
}
PLUMBLINE_AVX2_INLINE void sum_four(const F32* x, float* to) {
  for (int i = 0; i < 4; ++i) to[i] = sum(x[i]);
}
PLUMBLINE_AVX2_INLINE float largest(F32 x) {
  const __m256 half = _mm256_max_ps(x.v[0], x.v[1]);
  const __m128 quarter = _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  const __m128 pair = _mm_max_ps(quarter, _mm_movehl_ps(quarter, quarter));
  return _mm_cvtss_f32(_mm_max_ss(pair, _mm_movehdup_ps(pair)));
}
/// Whether any lane of x is greater than the same lane of y.
PLUMBLINE_AVX2_INLINE bool any_greater(F32 x, F32 y) {
  return _mm256_movemask_ps(
             _mm256_or_ps(_mm256_cmp_ps(x.v[0], y.v[0], _CMP_GT_OQ), _mm256_cmp_ps(x.v[1], y.v[1], _CMP_GT_OQ))) != 0;
}

PLUMBLINE_AVX2_INLINE I32 izero() {
  return {{_mm256_setzero_si256(), _mm256_setzero_si256()}};
}
PLUMBLINE_AVX2_INLINE I32 iset(std::int32_t x) {
  return {{_mm256_set1_epi32(x), _mm256_set1_epi32(x)}};
}
PLUMBLINE_AVX2_INLINE I32 load_u8(const std::uint8_t* p) {
  const __m128i bytes = load_128(p);
  return {{_mm256_cvtepu8_epi32(bytes), _mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8))}};
}
PLUMBLINE_AVX2_INLINE I32 iadd(I32 a, I32 b) {
  return {{_mm256_add_epi32(a.v[0], b.v[0]), _mm256_add_epi32(a.v[1], b.v[1])}};
}
PLUMBLINE_AVX2_INLINE I32 isub(I32 a, I32 b) {
  return {{_mm256_sub_epi32(a.v[0], b.v[0]), _mm256_sub_epi32(a.v[1], b.v[1])}};
}
PLUMBLINE_AVX2_INLINE I32 imul(I32 a, I32 b) {
  return {{_mm256_mullo_epi32(a.v[0], b.v[0]), _mm256_mullo_epi32(a.v[1], b.v[1])}};
}
PLUMBLINE_AVX2_INLINE std::int32_t isum(I32 x) {
  const __m256i half = _mm256_add_epi32(x.v[0], x.v[1]);
  const __m128i quarter = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  const __m128i pair = _mm_add_epi32(quarter, _mm_shuffle_epi32(quarter, 0x4E));
  return _mm_cvtsi128_si32(_mm_add_epi32(pair, _mm_shuffle_epi32(pair, 0xB1)));
}
PLUMBLINE_AVX2_INLINE F32 to_floats(I32 x) {
  return {{_mm256_cvtepi32_ps(x.v[0]), _mm256_cvtepi32_ps(x.v[1])}};
}
/// To nearest, ties to even; |x| below 2^22.
PLUMBLINE_AVX2_INLINE I32 to_ints(F32 x) {
  return {{_mm256_cvtps_epi32(x.v[0]), _mm256_cvtps_epi32(x.v[1])}};
}
PLUMBLINE_AVX2_INLINE __m256 power_of_two_half(__m256i n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}
/// 2^n for n in -126..127.
PLUMBLINE_AVX2_INLINE F32 power_of_two(I32 n) {
  return {{power_of_two_half(n.v[0]), power_of_two_half(n.v[1])}};
}
/// Values in -128..127.
PLUMBLINE_AVX2_INLINE void store_i8(std::int8_t* p, I32 x) {
  // Packing works in 128-bit halves; the permutation puts the quarters back in order.
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(x.v[0], x.v[1]), 0xD8);
  const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}

PLUMBLINE_AVX2_INLINE void prefetch(const void* p) {
  _mm_prefetch(p, _MM_HINT_T0);
}
PLUMBLINE_AVX2_INLINE Line load_line(const std::uint8_t* p) {
  return {{_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
           _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))}};
}
PLUMBLINE_AVX2_INLINE Line low_nibbles(Line x) {
  const __m256i mask = _mm256_set1_epi8(15);
  return {{_mm256_and_si256(x.v[0], mask), _mm256_and_si256(x.v[1], mask)}};
}
PLUMBLINE_AVX2_INLINE Line high_nibbles(Line x) {
  const __m256i mask = _mm256_set1_epi8(15);
  return {{_mm256_and_si256(_mm256_srli_epi16(x.v[0], 4), mask), _mm256_and_si256(_mm256_srli_epi16(x.v[1], 4), mask)}};
}
/// Four bytes, sixteen times.
PLUMBLINE_AVX2_INLINE Line repeat4(const std::int8_t* p) {
  std::int32_t word;
  __builtin_memcpy(&word, p, sizeof word);
  return {{_mm256_set1_epi32(word), _mm256_set1_epi32(word)}};
}
PLUMBLINE_AVX2_INLINE __m256i dot_half(__m256i codes, __m256i x) {
  // Pairs stay below 2 * 15 * 127: the saturating 16-bit sums cannot saturate.
  return _mm256_madd_epi16(_mm256_maddubs_epi16(codes, x), _mm256_set1_epi16(1));
}
/// acc[lane] += sum over four of codes (unsigned) * x (signed). Codes up to 15.
PLUMBLINE_AVX2_INLINE I32 dot_nibbles(I32 acc, Line codes, Line x) {
  return {{_mm256_add_epi32(acc.v[0], dot_half(codes.v[0], x.v[0])),
           _mm256_add_epi32(acc.v[1], dot_half(codes.v[1], x.v[1]))}};
}
/// The same for codes up to 255, as two nibbles: whole bytes would saturate.
PLUMBLINE_AVX2_INLINE I32 dot_bytes(I32 acc, Line codes, Line x) {
  const I32 high = dot_nibbles(izero(), high_nibbles(codes), x);
  const I32 low = dot_nibbles(acc, low_nibbles(codes), x);
  return {{_mm256_add_epi32(low.v[0], _mm256_slli_epi32(high.v[0], 4)),
           _mm256_add_epi32(low.v[1], _mm256_slli_epi32(high.v[1], 4))}};
}
template <int Shift, int Mask>
PLUMBLINE_AVX2_INLINE __m256 centred_half(__m256i x) {
  const __m256i code = _mm256_and_si256(_mm256_srli_epi32(x, Shift), _mm256_set1_epi32(Mask));
  return _mm256_cvtepi32_ps(_mm256_sub_epi32(code, _mm256_set1_epi32((Mask + 1) / 2)));
}
/// Bits Shift .. Shift + 3 of each 32-bit lane, less 8.
template <int Shift>
PLUMBLINE_AVX2_INLINE F32 nibble_less_8(Line x) {
  return {{centred_half<Shift, 15>(x.v[0]), centred_half<Shift, 15>(x.v[1])}};
}
/// Bits Shift .. Shift + 7 of each 32-bit lane, less 128.
template <int Shift>
PLUMBLINE_AVX2_INLINE F32 byte_less_128(Line x) {
  return {{centred_half<Shift, 255>(x.v[0]), centred_half<Shift, 255>(x.v[1])}};
}

}  // namespace kernels::simd_avx2

#endif
