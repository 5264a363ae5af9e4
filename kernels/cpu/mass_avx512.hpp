// What the choice of a token asks of all logits, sixteen at a time: the arithmetic of kernels/sampling.hpp, operation
// by operation, so that the bits are its own.
#pragma once

#include "kernels/cpu/simd_avx512.hpp"

#if defined(__x86_64__)

#include "kernels/sampling.hpp"

namespace kernels::simd_avx512 {

/// The `n` first of sixteen logits, and -infinity, which has no mass, for the others.
PLUMBLINE_AVX512_INLINE __m512 load_logits(const float* p, std::size_t n) {
  return _mm512_mask_loadu_ps(_mm512_set1_ps(-__builtin_inff()), first_lanes(n), p);
}

/// c + a * b, each rounded.
PLUMBLINE_AVX512_INLINE __m512 add_product(float c, __m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_set1_ps(c), _mm512_mul_ps(a, b));
}
PLUMBLINE_AVX512_INLINE __m512i masses(__m256i fractions, __m256i shifts) {
  const __m512i whole = _mm512_slli_epi64(_mm512_cvtepu32_epi64(fractions), kMassBits - 24);
  return _mm512_srlv_epi64(whole, _mm512_cvtepu32_epi64(shifts));
}

PLUMBLINE_AVX512 inline float greatest(const float* logits, std::size_t count) {
  __m512 most = _mm512_set1_ps(-__builtin_inff());
  __mmask16 strange = 0;
  for (std::size_t i = 0; i < count; i += 16) {
    const __m512 x = load_logits(logits + i, count - i < 16 ? count - i : 16);
    strange = static_cast<__mmask16>(strange | _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q));
    most = _mm512_max_ps(most, x);
  }
  return strange != 0 ? __builtin_nanf("") : largest({most});
}

PLUMBLINE_AVX512 inline std::uint64_t total_mass(const float* logits, std::size_t count, float greatest) {
  const __m512 round = _mm512_set1_ps(12582912.0F);
  __m512i sums[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
  for (std::size_t i = 0; i < count; i += 16) {
    const __m512 logit = load_logits(logits + i, count - i < 16 ? count - i : 16);
    const __m512 x = _mm512_max_ps(_mm512_sub_ps(logit, _mm512_set1_ps(greatest)), _mm512_set1_ps(-30.0F));
    const __m512 whole = _mm512_sub_ps(_mm512_add_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504F)), round), round);
    const __m512 r = _mm512_sub_ps(_mm512_sub_ps(x, _mm512_mul_ps(whole, _mm512_set1_ps(0.693145751953125F))),
                                   _mm512_mul_ps(whole, _mm512_set1_ps(1.42860677e-6F)));
    __m512 power = add_product(0.00833333377F, r, _mm512_set1_ps(0.00138888892F));
    power = add_product(0.0416666679F, r, power);
    power = add_product(0.166666672F, r, power);
    power = add_product(0.5F, r, power);
    power = add_product(1.0F, r, power);
    power = add_product(1.0F, r, power);
    const __m512i fraction = _mm512_cvttps_epi32(_mm512_mul_ps(power, _mm512_set1_ps(16777216.0F)));
    const __m512i shift = _mm512_cvttps_epi32(_mm512_sub_ps(_mm512_setzero_ps(), whole));
    const __m512i low = masses(_mm512_castsi512_si256(fraction), _mm512_castsi512_si256(shift));
    const __m512i high = masses(_mm512_extracti64x4_epi64(fraction, 1), _mm512_extracti64x4_epi64(shift, 1));
    sums[0] = _mm512_add_epi64(sums[0], low);
    sums[1] = _mm512_add_epi64(sums[1], high);
  }
  return static_cast<std::uint64_t>(_mm512_reduce_add_epi64(_mm512_add_epi64(sums[0], sums[1])));
}

}  // namespace kernels::simd_avx512

#endif
