// The instruction set of this source file, chosen by the macro it defines first: one instruction set per file, each in
// a namespace of its own, so that no two of them share a function the linker might take from the wrong one.
//
//   PLUMBLINE_TARGET   marks a function that uses the vectors; PLUMBLINE_INLINE one that is always inlined
//   PLUMBLINE_SIMD     the namespace
#pragma once

#if defined(PLUMBLINE_USE_AVX512)
#include "kernels/cpu/simd_avx512.hpp"
#define PLUMBLINE_SIMD simd_avx512
#define PLUMBLINE_TARGET PLUMBLINE_AVX512
#define PLUMBLINE_INLINE PLUMBLINE_AVX512_INLINE
#elif defined(PLUMBLINE_USE_AVX2)
#include "kernels/cpu/simd_avx2.hpp"
#define PLUMBLINE_SIMD simd_avx2
#define PLUMBLINE_TARGET PLUMBLINE_AVX2
#define PLUMBLINE_INLINE PLUMBLINE_AVX2_INLINE
#else
#include "kernels/cpu/simd_portable.hpp"
#define PLUMBLINE_SIMD simd_portable
#define PLUMBLINE_TARGET
#define PLUMBLINE_INLINE inline
#endif
