// Numbers for made-up weights: each a pure function of seed, tensor name and index, so that any part can be made on its
// own and the same weights can be written plain or quantised. Uniform, from integers: the same bits on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace refserver {

class RandomWeights {
 public:
  /// Values in (-`largest`, `largest`); their standard deviation is `largest` / sqrt(3).
  RandomWeights(std::uint64_t seed, std::string_view tensor, float largest) noexcept
      : key_(mix(seed ^ hash(tensor))), step_(largest / 32768.0F) {}

  /// Element `index`.
  float at(std::uint64_t index) const noexcept { return value(word(index / 4), index % 4); }

  /// Elements `first`, `first + 1`, ...
  void fill(std::uint64_t first, std::span<float> out) const noexcept {
    std::size_t i = 0;
    for (; i < out.size() && (first + i) % 4 != 0; ++i) out[i] = at(first + i);
    for (; i + 4 <= out.size(); i += 4) {
      const std::uint64_t bits = word((first + i) / 4);
      for (unsigned lane = 0; lane < 4; ++lane) out[i + lane] = value(bits, lane);
    }
    for (; i < out.size(); ++i) out[i] = at(first + i);
  }

  /// A 64-bit number of element `index`: for shuffles.
  std::uint64_t word(std::uint64_t index) const noexcept { return mix(key_ + index); }

 private:
  /// splitmix64's finaliser.
  static constexpr std::uint64_t mix(std::uint64_t x) noexcept {
    x += 0x9E3779B97F4A7C15U;
    x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31U);
  }
  /// FNV-1a.
  static constexpr std::uint64_t hash(std::string_view text) noexcept {
    std::uint64_t h = 0xCBF29CE484222325U;
    for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
    return h;
  }
  /// One of the four 16-bit integers of a word, moved off zero by half a step so that both signs are alike.
  float value(std::uint64_t bits, std::uint64_t lane) const noexcept {
    const auto part = static_cast<std::int16_t>(static_cast<std::uint16_t>(bits >> 16U * lane));
    return (static_cast<float>(part) + 0.5F) * step_;
  }

  std::uint64_t key_;
  float step_;
};

}  // namespace refserver
