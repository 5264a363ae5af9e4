// The greatest few of a long row: what sampling looks at.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/cpu/kernel_table.hpp"

namespace kernels {

/// The ids.size() greatest of x, greatest first, equal ones by lower index first; NaN counts as least.
/// values.size() == ids.size(), 1 .. x.size().
void find_top_k(const KernelTable& kernels, std::span<const float> x, std::span<float> values,
                std::span<std::int32_t> ids);

}  // namespace kernels
