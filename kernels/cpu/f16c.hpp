// Whether this processor converts half floats. Asked of the processor itself: not every compiler's
// __builtin_cpu_supports knows the name. That the system saves the registers is part of its answer for "avx2".
#pragma once

#include <cpuid.h>

namespace kernels {

inline bool has_f16c() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & static_cast<unsigned>(bit_F16C)) != 0;
}

}  // namespace kernels
