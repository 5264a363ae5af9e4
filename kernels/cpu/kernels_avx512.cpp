// The kernels for AVX-512 with VNNI.
#if defined(__x86_64__)
#define PLUMBLINE_USE_AVX512
// g++ 12 takes the deliberately undefined pass-through operand inside its own intrinsics for a mistake of the caller.
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include "kernels/cpu/attention_kernels.hpp"
#include "kernels/cpu/f16c.hpp"
#include "kernels/cpu/mass_avx512.hpp"
#include "kernels/cpu/pack_kernels.hpp"
#include "kernels/cpu/panel_kernels.hpp"
#include "kernels/cpu/row_kernels.hpp"

namespace kernels {
namespace {

namespace simd = simd_avx512;

constexpr KernelTable kTable{.name = "cpu-avx512",
                             .exact_rows = simd::kExactRows,
                             .fast_rows = simd::kFastRows,
                             .pack_exact = simd::pack_exact,
                             .pack_fast = simd::pack_fast,
                             .multiply_exact = simd::multiply<simd::Sums::exact, simd::kExactRows>,
                             .multiply_fast = simd::multiply<simd::Sums::fast, simd::kFastRows>,
                             .multiply_dense = simd::multiply_dense,
                             .rmsnorm = simd::rmsnorm,
                             .silu_mul = simd::silu_mul,
                             .rotate = simd::rotate,
                             .attend = simd::attend,
                             .find_greater = simd::find_greater,
                             .greatest = simd::greatest,
                             .total_mass = simd::total_mass,
                             .sum = simd::sum_all};

}  // namespace

const KernelTable* find_kernels_avx512() {
  const bool able = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                    __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx2") &&
                    __builtin_cpu_supports("fma") && has_f16c();
  return able ? &kTable : nullptr;
}

}  // namespace kernels

#else

#include "kernels/cpu/kernel_table.hpp"

namespace kernels {

const KernelTable* find_kernels_avx512() {
  return nullptr;
}

}  // namespace kernels

#endif
