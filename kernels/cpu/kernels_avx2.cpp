// The kernels for AVX2 with FMA and F16C.
#if defined(__x86_64__)
#define PLUMBLINE_USE_AVX2
#include "kernels/cpu/attention_kernels.hpp"
#include "kernels/cpu/choice.hpp"
#include "kernels/cpu/f16c.hpp"
#include "kernels/cpu/pack_kernels.hpp"
#include "kernels/cpu/panel_kernels.hpp"
#include "kernels/cpu/row_kernels.hpp"

namespace kernels {
namespace {

namespace simd = simd_avx2;

constexpr KernelTable kTable{.name = "cpu-avx2",
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
                             .greatest = greatest_one_by_one,
                             .total_mass = total_mass_one_by_one,
                             .sum = simd::sum_all};

}  // namespace

const KernelTable* find_kernels_avx2() {
  const bool able = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
  return able ? &kTable : nullptr;
}

}  // namespace kernels

#else

#include "kernels/cpu/kernel_table.hpp"

namespace kernels {

const KernelTable* find_kernels_avx2() {
  return nullptr;
}

}  // namespace kernels

#endif
