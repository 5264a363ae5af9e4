// Which table is the best this machine can run.
#include "kernels/cpu/kernel_table.hpp"

namespace kernels {

const KernelTable& fastest_kernels() {
  for (auto* const find : {find_kernels_avx512, find_kernels_avx2}) {
    if (const KernelTable* const table = find()) return *table;
  }
  return *find_kernels_portable();
}

}  // namespace kernels
