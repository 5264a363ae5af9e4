// Random numbers by position instead of by turn: a pure function of (seed, purpose, index), so that any worker can ask
// for any of them in any order. Built from the finalizer of splitmix64 (Steele, Lea, Flood 2014), which is a bijection.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace loadgen {

/// What a number is drawn for; each purpose has a sequence of its own.
enum class Draw : std::uint64_t {
  entry = 1,
  prompt = 2,
  nonce = 3,
  arrival_gap = 4,
  think_time = 5,
  owner = 6,
  output_tokens = 7,
  prompt_tokens = 8,
  prompt_words = 9,
};

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

/// As many numbers as one draw needs, for one index: what is rejected and drawn again must not take from its neighbour.
class KeyedStream {
 public:
  constexpr KeyedStream(std::uint64_t seed, Draw draw, std::uint64_t index) noexcept
      : state_(keyed_bits(seed, draw, index)) {}

  constexpr std::uint64_t bits() noexcept { return mix64(state_ += 0x9e3779b97f4a7c15U); }
  /// Uniform in (0, 1].
  constexpr double above_zero() noexcept { return static_cast<double>((bits() >> 11) + 1) * 0x1p-53; }
  /// Exponential with mean 1.
  double exponential() noexcept { return -std::log(above_zero()); }
  /// Normal with mean 0 and variance 1 (Box and Muller 1958).
  double normal() noexcept {
    const double radius = std::sqrt(2 * exponential());
    return radius * std::cos(2 * std::numbers::pi * above_zero());
  }
  /// Gamma with this shape (> 0) and mean 1 (Marsaglia and Tsang 2000).
  double gamma(double shape) noexcept {
    if (shape < 1) return gamma(shape + 1) * ((shape + 1) / shape) * std::pow(above_zero(), 1 / shape);
    const double d = shape - 1.0 / 3.0;
    const double c = 1 / std::sqrt(9 * d);
    while (true) {
      const double x = normal();
      const double cube = 1 + c * x;
      if (cube <= 0) continue;
      const double v = cube * cube * cube;
      if (std::log(above_zero()) < 0.5 * x * x + d * (1 - v + std::log(v))) return d * v / shape;
    }
  }

 private:
  std::uint64_t state_;
};

}  // namespace loadgen
