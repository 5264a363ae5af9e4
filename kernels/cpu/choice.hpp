// The greedy choice among raw logits, with the widest instructions of this machine. Bits are those of
// kernels/sampling.hpp whatever they are.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/sampling.hpp"

namespace kernels {

/// The greatest logit, of equal ones the first, at temperature 1; id -1 if there is a NaN or +infinity, or nothing
/// finite.
SampledId choose_greatest(std::span<const float> logits);

/// As the tables of kernels without better have it: one logit after the other.
float greatest_one_by_one(const float* logits, std::size_t count);
std::uint64_t total_mass_one_by_one(const float* logits, std::size_t count, float greatest);

}  // namespace kernels
