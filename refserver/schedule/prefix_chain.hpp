// The names of a sequence's full blocks for the prefix cache: each name covers everything before it, so that equal
// names mean (up to collisions, which the pool checks for) equal context. Computed once per token, not per look-up.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "refserver/schedule/ids.hpp"

namespace refserver {

/// The name every chain of one model, salt and cache generation starts from.
std::uint64_t chain_root(std::string_view model, std::string_view salt, std::uint64_t generation);
/// The name of a block holding `tokens` whose predecessors are named `parent`.
std::uint64_t chain_link(std::uint64_t parent, std::span<const TokenId> tokens);

/// One sequence's names, in order. Filled by the pool it is used with.
struct PrefixChain {
  std::string salt;              ///< sequences of different salts never share
  std::uint64_t generation = 0;  ///< of the cache the names belong to; 0: none yet
  std::vector<std::uint64_t> names;
};

}  // namespace refserver
