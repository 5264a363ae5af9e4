// Random numbers by position instead of by turn: a pure function of (seed, purpose, index), so that any worker can ask
// for any of them in any order. Built from the finalizer of splitmix64 (Steele, Lea, Flood 2014), which is a bijection.
#pragma once

#include <cstdint>

namespace loadgen {

/// What a number is drawn for; each purpose has a sequence of its own.
enum class Draw : std::uint64_t { entry = 1, prompt = 2, nonce = 3, arrival_gap = 4 };

constexpr std::uint64_t mix64(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

/// 64 random bits. For one seed and purpose different indices always give different values.
constexpr std::uint64_t keyed_bits(std::uint64_t seed, Draw draw, std::uint64_t index) noexcept {
  constexpr std::uint64_t golden = 0x9e3779b97f4a7c15U;
  const std::uint64_t key = mix64(mix64(seed + golden) + static_cast<std::uint64_t>(draw) * golden);
  // Two rounds with the key between them: sequences of different keys are not shifted copies of one another.
  return mix64(mix64(index * golden + key) ^ key);
}

/// Uniform in [0, 1), 53 bits.
constexpr double keyed_uniform(std::uint64_t seed, Draw draw, std::uint64_t index) noexcept {
  return static_cast<double>(keyed_bits(seed, draw, index) >> 11) * 0x1p-53;
}

/// Uniform in (0, 1], so that its logarithm is finite.
constexpr double keyed_uniform_above_zero(std::uint64_t seed, Draw draw, std::uint64_t index) noexcept {
  return static_cast<double>((keyed_bits(seed, draw, index) >> 11) + 1) * 0x1p-53;
}

}  // namespace loadgen
