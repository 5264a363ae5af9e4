// One request as the scheduler takes it: tokens, limits, where it stands among others. Knows no text but stop strings.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "refserver/api/token_event.hpp"
#include "refserver/api/valid_request.hpp"
#include "refserver/schedule/ids.hpp"

namespace refserver {

struct RequestSpec {
  RequestId id = 0;
  TimePoint received;
  std::vector<TokenId> prompt;  ///< at least one
  std::uint32_t max_new_tokens = 1;
  std::uint32_t min_new_tokens = 0;  ///< that many tokens come before an end-of-sequence token that counts
  bool ignores_eos = false;
  std::vector<std::string> stop;
  Sampling sampling{};
  std::uint32_t top_n_tokens = 0;
  std::uint8_t priority = 0;  ///< class; 0 goes first
  std::string tenant;         ///< whose share the work counts towards
  std::string cache_salt;     ///< computed prefixes are shared only among equal salts
  bool reads_prefix_cache = true;
  std::string draw_key;                 ///< what simulated engines key random draws by; empty: the id
  std::optional<TimePoint> not_before;  ///< the first token is not due earlier; known to scripted engines only
  std::optional<TimePoint> deadline;    ///< dropped if not finished by then
};

}  // namespace refserver
