// How logits become a choice, in arithmetic that gives the same bits everywhere: surprises in float by single rounded
// operations, masses in integers, whose sums are exact in any order. A CPU and a GPU that follow it choose the same
// token. Knows no requests; the sampler on the host is token_sampler.hpp.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>

#include "kernels/philox.hpp"

namespace kernels {

inline constexpr std::uint32_t kMaxVocabulary = 1U << 21U;  ///< beyond it sums of masses would not fit 64 bits
inline constexpr unsigned kMassBits = 40;                   ///< the likeliest token has a mass of 2^40

/// How often a token came before.
struct TokenCount {
  std::int32_t id;
  std::uint32_t count;
};

enum class ChoiceRule : std::uint8_t { greatest, draw };

/// What one choice depends on besides the logits. Steps in this order: masks, repetition penalty r (a logit below 0
/// times r, another by r), frequency penalty f (minus f * count / context_length), temperature, top_k (all that equal
/// the k-th stay), top_p, typical_p, and then the likeliest token or a draw keyed by (seed, position). Of equally
/// likely tokens the lowest id comes first.
struct SampleRow {
  ChoiceRule rule = ChoiceRule::greatest;
  float temperature = 1.0F;  ///< above 0
  float repetition_penalty = 1.0F;
  float frequency_penalty = 0.0F;
  std::uint32_t top_k = 0;  ///< 0: off
  float top_p = 1.0F;       ///< 1: off; above 0
  float typical_p = 1.0F;   ///< 1: off; above 0
  std::uint64_t seed = 0;
  std::uint64_t position = 0;                ///< of the token in the answer
  std::span<const TokenCount> context = {};  ///< every token that came before once; ids that are not usable are ignored
  std::uint32_t context_length = 0;          ///< tokens before, each as often as it came
  std::span<const std::int32_t> forbidden = {};  ///< ids that are not chosen

  bool has_penalty() const noexcept { return repetition_penalty != 1.0F || frequency_penalty != 0.0F; }
};

/// A choice. Its log-probability among all tokens that could have been chosen is log_probability(surprise, total).
struct SampledId {
  std::int32_t id = -1;     ///< -1: nothing to choose from (a NaN, an infinity, or no finite logit)
  float surprise = 0;       ///< (greatest logit - its own) / temperature, at most the greatest float
  std::uint64_t total = 0;  ///< mass of all that could have been chosen
};

namespace sampling {

inline constexpr float kGreatestFloat = 3.4028234663852886e38F;

/// A logit after both penalties. What was finite stays so.
PLUMBLINE_HOST_DEVICE inline float penalised(float logit, std::uint32_t count, float repetition, float frequency,
                                             std::uint32_t length) {
  if (!(logit <= kGreatestFloat && logit >= -kGreatestFloat)) return logit;
  float result = logit < 0 ? logit * repetition : logit / repetition;
  result = result - frequency * static_cast<float>(count) / static_cast<float>(length);
  return result > kGreatestFloat ? kGreatestFloat : result < -kGreatestFloat ? -kGreatestFloat : result;
}

/// How much less likely than the greatest, in natural logarithms: 0 or above, never infinite.
PLUMBLINE_HOST_DEVICE inline float surprise_of(float logit, float greatest, float temperature) {
  const float surprise = (greatest - logit) / temperature;
  return surprise < kGreatestFloat ? surprise : kGreatestFloat;
}

/// e^-surprise * 2^kMassBits, off by less than 2^-21 of it and less than 2; 0 from about 28.5 on. The power of two is
/// split off, and the rest is a polynomial of Taylor: no operation is fused, each is rounded once.
PLUMBLINE_HOST_DEVICE inline std::uint64_t mass_of(float surprise) {
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it leaves whole numbers
  const float x = surprise < 30.0F ? -surprise : -30.0F;
  const float whole = (x * 1.44269504F + kRound) - kRound;
  const float r = (x - whole * 0.693145751953125F) - whole * 1.42860677e-6F;  // the first product is exact
  const float power =
      1.0F +
      r * (1.0F + r * (0.5F + r * (0.166666672F + r * (0.0416666679F + r * (0.00833333377F + r * 0.00138888892F)))));
  const auto fraction = static_cast<std::uint32_t>(power * 16777216.0F);  // 2^24: exact
  return (static_cast<std::uint64_t>(fraction) << (kMassBits - 24)) >> static_cast<std::uint32_t>(-whole);
}

/// The upper 64 bits of a product, and whether there is anything below them.
struct WideProduct {
  std::uint64_t high;
  bool has_rest;
};
PLUMBLINE_HOST_DEVICE inline WideProduct multiply_wide(std::uint64_t a, std::uint64_t b) {
#if defined(__CUDA_ARCH__)
  return {__umul64hi(a, b), a * b != 0};
#else
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return {static_cast<std::uint64_t>(product >> 64U), static_cast<std::uint64_t>(product) != 0};
#endif
}

/// The least mass that is at least `share` (above 0, below 1) of a total.
PLUMBLINE_HOST_DEVICE inline std::uint64_t share_of(std::uint64_t total, float share) {
  const auto fraction = static_cast<std::uint64_t>(share * 18446744073709551616.0F);  // 2^64; bits below are not a mass
  const WideProduct product = multiply_wide(total, fraction);
  const std::uint64_t mass = product.high + (product.has_rest ? 1 : 0);
  return mass > 0 ? mass : 1;
}

/// The mass that the prefix of tokens up to the drawn one reaches, 1 .. total: each token is drawn as often as its mass
/// says.
PLUMBLINE_HOST_DEVICE inline std::uint64_t drawn_mass(std::uint64_t total, std::uint64_t seed, std::uint64_t position) {
  return multiply_wide(total, draw_bits(seed, position, 0)).high + 1;
}

/// Sums towards the mean surprise, in units of 2^-20: of mass / 2^16 and of the rest, each times the surprise. No term
/// of either is above 2^42.6: those of kMaxVocabulary tokens do not overflow.
struct SurpriseSums {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  PLUMBLINE_HOST_DEVICE void add(std::uint64_t mass, float surprise) {
    if (mass == 0) return;  // a surprise beyond 30 would not fit
    const auto units = static_cast<std::uint64_t>(surprise * 1048576.0F);
    high += (mass >> 16U) * units;
    low += (mass & 0xFFFFU) * units;
  }
  PLUMBLINE_HOST_DEVICE float mean(std::uint64_t total) const {
    const double sum = static_cast<double>(high) * 65536.0 + static_cast<double>(low);
    return static_cast<float>(sum / static_cast<double>(total) / 1048576.0);
  }
};

/// How far a token's surprise is from the distribution's entropy; both lack the same constant here.
PLUMBLINE_HOST_DEVICE inline float untypical(float surprise, float mean) {
  return surprise < mean ? mean - surprise : surprise - mean;
}

}  // namespace sampling

/// Natural logarithm of the probability of a token with this surprise.
inline double log_probability(float surprise, std::uint64_t total) {
  return -static_cast<double>(surprise) -
         std::log(std::ldexp(static_cast<double>(total), -static_cast<int>(kMassBits)));
}

}  // namespace kernels
