// In double, rounded once at the end.
#include "kernels/rope.hpp"

#include <cassert>
#include <cmath>
#include <numbers>

namespace kernels {
namespace {

double scaled(double frequency, const Llama3Scaling& scaling) {
  const double wavelength = 2 * std::numbers::pi / frequency;
  const double turns = scaling.original_positions / wavelength;  // within the original context
  if (turns > scaling.high_frequency_factor) return frequency;
  if (turns < scaling.low_frequency_factor) return frequency / scaling.factor;
  const double blend =
      (turns - scaling.low_frequency_factor) / (scaling.high_frequency_factor - scaling.low_frequency_factor);
  return (1 - blend) * frequency / scaling.factor + blend * frequency;
}

}  // namespace

std::vector<float> rope_frequencies(const RopeConfig& config) {
  assert(config.head_dim > 0 && config.head_dim % 2 == 0 && config.theta > 0 && config.linear_factor > 0);
  if (config.llama3) {
    assert(config.llama3->factor > 0 && config.llama3->original_positions > 0);
    assert(config.llama3->high_frequency_factor > config.llama3->low_frequency_factor);
  }
  std::vector<float> frequencies;
  for (std::size_t i = 0; i < config.head_dim / 2; ++i) {
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(config.head_dim);
    const double plain = std::pow(config.theta, exponent) / config.linear_factor;
    frequencies.push_back(static_cast<float>(config.llama3 ? scaled(plain, *config.llama3) : plain));
  }
  return frequencies;
}

}  // namespace kernels
