// Random numbers by name instead of by turn: a pure function of (seed, purpose, request, index), so that what is drawn
// for a token depends on nothing else: not on order, batching or the number of servers.
#pragma once

#include <cstdint>
#include <string_view>

namespace refserver {

/// What a number is drawn for; each purpose has numbers of its own.
enum class Draw : std::uint64_t { ttft = 1, gap = 2, step = 3, answer = 4, draft = 5, arrival = 6, prompt = 7 };

/// The finalizer of splitmix64 (Steele, Lea, Flood 2014), a bijection.
constexpr std::uint64_t mix64(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

/// FNV-1a, mixed once more: its low bits alone are poor.
constexpr std::uint64_t hash_text(std::string_view text) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return mix64(hash);
}

/// 64 random bits.
constexpr std::uint64_t keyed_bits(std::uint64_t seed, Draw draw, std::uint64_t request, std::uint64_t index) noexcept {
  constexpr std::uint64_t golden = 0x9e3779b97f4a7c15U;
  std::uint64_t key = mix64(mix64(seed + golden) + static_cast<std::uint64_t>(draw) * golden);
  // Two rounds with the key between them: sequences of different keys are not shifted copies of one another.
  key = mix64(mix64(request * golden + key) ^ key);
  return mix64(mix64(index * golden + key) ^ key);
}

/// Uniform in (0, 1), both ends excluded, so that every quantile function is finite there.
constexpr double keyed_uniform(std::uint64_t seed, Draw draw, std::uint64_t request, std::uint64_t index) noexcept {
  return (static_cast<double>(keyed_bits(seed, draw, request, index) >> 12U) + 0.5) * 0x1p-52;
}

}  // namespace refserver
