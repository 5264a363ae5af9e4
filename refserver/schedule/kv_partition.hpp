// How the KV memory of one device is divided among its models: fixed shares, settled at start.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "refserver/result.hpp"

namespace refserver {

struct KvDemand {
  std::uint64_t block_bytes = 0;     ///< of one block, all layers, K and V
  double weight = 1;                 ///< share of what is left after the minimums
  std::uint32_t minimum_blocks = 2;  ///< the padding block included
};

/// [first_byte, first_byte + blocks * block_bytes) belongs to one model alone.
struct KvShare {
  std::uint64_t first_byte = 0;
  std::uint32_t blocks = 0;
};

/// One share per demand, in order, without overlap. Refuses, with the numbers, what cannot be divided.
Result<std::vector<KvShare>, std::string> partition_kv(std::uint64_t bytes, const std::vector<KvDemand>& demands);

}  // namespace refserver
