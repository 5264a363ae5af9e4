// The finalizer of splitmix64 (Steele, Lea, Flood 2014) over words: fast, and collisions are harmless here.
#include "refserver/schedule/prefix_chain.hpp"

namespace refserver {
namespace {

constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15U;

constexpr std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

std::uint64_t add_text(std::uint64_t hash, std::string_view text) {
  for (const char c : text) hash = mix(hash + kGolden + static_cast<unsigned char>(c));
  return mix(hash ^ text.size());  // the length keeps "ab" + "c" apart from "a" + "bc"
}

}  // namespace

std::uint64_t chain_root(std::string_view model, std::string_view salt, std::uint64_t generation) {
  return add_text(add_text(mix(generation + kGolden), model), salt);
}

std::uint64_t chain_link(std::uint64_t parent, std::span<const TokenId> tokens) {
  std::uint64_t hash = mix(parent + kGolden);
  for (const TokenId token : tokens) hash = mix((hash ^ token) + kGolden);
  return hash;
}

}  // namespace refserver
