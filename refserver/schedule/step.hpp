// What passes between scheduler and engine: a step to run, what came out of it, and what that means to clients.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "refserver/api/token_event.hpp"
#include "refserver/schedule/ids.hpp"
#include "refserver/schedule/request_spec.hpp"

namespace refserver {

/// One sequence's part of a step: compute `count` tokens from `position` on. Views are valid until the commit.
struct Row {
  RequestId sequence = 0;
  std::uint32_t position = 0;  ///< of the first token; what lies before it is computed and in the blocks
  std::uint32_t count = 0;     ///< drafts included
  bool wants_token = false;    ///< the row reaches the end of what is known: sample one token
  std::uint32_t produced = 0;  ///< output tokens so far: random draws are keyed by it
  std::span<const BlockId> blocks;
  std::span<const TokenId> tokens;    ///< all that are known, prompt and output
  std::span<const TokenId> drafts;    ///< guesses that follow them; the last rows of the step check them
  const RequestSpec* spec = nullptr;  ///< how to sample; its prompt is empty, see `tokens`

  /// The token at position + i.
  TokenId token(std::uint32_t i) const {
    const std::size_t at = std::size_t{position} + i;
    return at < tokens.size() ? tokens[at] : drafts[at - tokens.size()];
  }
};

struct StepPlan {
  std::uint64_t step = 0;  ///< from 1
  std::vector<Row> rows;
  std::uint32_t tokens = 0;          ///< of all rows
  std::uint32_t decode_rows = 0;     ///< rows that compute one token and their drafts
  std::uint32_t prefill_tokens = 0;  ///< of the other rows
};

struct SampledToken {
  TokenId id = 0;
  float logprob = 0;
  std::vector<std::pair<TokenId, float>> top;  ///< likeliest first, as many as asked for
};

struct RowResult {
  SampledToken token;                   ///< if the row wanted one: what follows the last accepted draft
  std::vector<SampledToken> accepted;   ///< the leading drafts that were right
  std::vector<TokenId> drafts;          ///< guesses for the next step
  std::optional<TimePoint> not_before;  ///< the sequence's next token is not due earlier
  bool has_failed = false;              ///< nothing above is meant; the request ends here
};

/// Row i answers the plan's row i.
struct StepResult {
  std::vector<RowResult> rows;
  TimePoint end;  ///< when the step was done: measured, or the simulated time
};

/// Why a request ended without a last token.
enum class DropReason : std::uint8_t { queue_timeout, deadline, failed };

struct Dropped {
  RequestId request = 0;
  DropReason reason = DropReason::failed;
};

/// What happened, in order. Whoever reads it clears it.
struct StepEvents {
  std::vector<TokenEvent> tokens;
  std::vector<Dropped> dropped;
  std::vector<RequestId> released;  ///< every sequence that is over, cancelled ones included: for the engine

  void clear() {
    tokens.clear();
    dropped.clear();
    released.clear();
  }
};

}  // namespace refserver
