// One generated token on its way from the engine to the client. Plain values; knows neither engine nor wire.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace refserver {

/// CLOCK_MONOTONIC.
using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

using RequestId = std::uint64_t;

struct Token {
  std::uint32_t id = 0;
  std::string text;  ///< UTF-8
  float logprob = 0;
  bool is_special = false;
};

enum class FinishReason : std::uint8_t { length, eos_token, stop_sequence };

/// Why a request ended without its last token.
enum class FailureKind : std::uint8_t {
  generation,    ///< the engine could not go on
  overloaded,    ///< too much is waiting already
  queue_timeout  ///< it waited for too long
};

struct TokenEvent {
  RequestId request = 0;
  std::uint32_t index = 0;  ///< 1 for the first token
  Token token;
  std::vector<Token> top_tokens;       ///< the likeliest ones, best first; only where asked for
  TimePoint due;                       ///< when the token became ready to leave
  std::optional<FinishReason> finish;  ///< set on the last token
  TimePoint scheduled;                 ///< when the request was first given blocks; the same in all of its events
  std::uint64_t step = 0;              ///< of the scheduler that produced the token, counted from 1; 0: none did
  std::uint32_t cached_tokens = 0;     ///< prompt tokens found in the prefix cache
  std::uint32_t preemptions = 0;       ///< so far
  std::string failure;                 ///< not empty: no token; the engine gave up on the request, and this says why
  FailureKind failure_kind = FailureKind::generation;
};

}  // namespace refserver
