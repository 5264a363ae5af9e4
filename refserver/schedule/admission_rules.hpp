// Whether a request may be let in, as arithmetic on a handful of numbers. Knows neither queue nor pool.
#pragma once

#include <cstdint>

#include "refserver/schedule/scheduler_config.hpp"

namespace refserver {

/// All in blocks unless said otherwise.
struct AdmissionFacts {
  std::uint32_t capacity = 0;
  std::uint32_t block_size = 1;
  std::uint32_t free = 0;
  std::uint32_t promised = 0;        ///< of the free ones: for the rest of prompts already let in
  std::size_t running = 0;           ///< requests
  std::uint64_t running_tokens = 0;  ///< tokens those may still produce
  std::uint32_t hit = 0;             ///< the request's blocks that are computed already
  std::uint32_t hit_free = 0;        ///< of those, the ones that count as free until it takes them
  std::uint32_t first_chunk = 0;     ///< for what it would compute first, hit included
  std::uint32_t known = 0;           ///< for all its tokens so far, hit included
  std::uint32_t everything = 0;      ///< for the longest it can get, hit included
  std::uint64_t request_tokens = 0;  ///< tokens it may still produce
};

/// `overcommit` is the current share of adaptive admission, ignored otherwise. Where nothing runs, whatever fits the
/// pool is let in.
bool is_admissible(const SchedulerConfig& config, const AdmissionFacts& facts, double overcommit);

}  // namespace refserver
