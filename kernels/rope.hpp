// Rotary position embedding: how fast each pair of a head turns per position. Pure arithmetic, done once per model.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace kernels {

/// "llama3" scaling: slow pairs turn `factor` times slower, fast ones as before, those between are blended.
struct Llama3Scaling {
  double factor = 8;
  double low_frequency_factor = 1;
  double high_frequency_factor = 4;
  double original_positions = 8192;
};

struct RopeConfig {
  std::size_t head_dim = 0;  ///< even
  double theta = 10000;
  std::optional<Llama3Scaling> llama3 = std::nullopt;
  double linear_factor = 1;  ///< "linear" scaling: positions are divided by it
};

/// Radians per position of pair i: theta^(-2i / head_dim), scaled; [head_dim / 2]. Sizes and factors that make no
/// sense (odd head_dim, theta or a factor not above 0, high not above low) stop the program.
std::vector<float> rope_frequencies(const RopeConfig& config);

/// Angle of a pair at a position, in radians: both factors in float and the product rounded to float, as models are
/// trained and served, so that long contexts see the angles they learned.
inline float rope_angle(std::size_t position, float frequency) noexcept {
  return static_cast<float>(position) * frequency;
}

}  // namespace kernels
