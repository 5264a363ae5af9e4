// The kernels for any CPU.
#include "kernels/cpu/attention_kernels.hpp"
#include "kernels/cpu/choice.hpp"
#include "kernels/cpu/pack_kernels.hpp"
#include "kernels/cpu/panel_kernels.hpp"
#include "kernels/cpu/row_kernels.hpp"

namespace kernels {
namespace {

namespace simd = simd_portable;

constexpr KernelTable kTable{.name = "cpu-portable",
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

const KernelTable* find_kernels_portable() {
  return &kTable;
}

}  // namespace kernels
