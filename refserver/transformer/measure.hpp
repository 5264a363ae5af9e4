// Times requests through scheduler and engine: what `refserver bench` repeats and sums up. Prompts are made up.
#pragma once

#include <cstdint>
#include <vector>

#include "refserver/transformer/engine_setup.hpp"

namespace refserver {

/// What is generated in one run.
struct MeasuredLoad {
  std::uint32_t prompt_tokens = 128;
  std::uint32_t new_tokens = 64;
  std::uint32_t requests = 1;  ///< all queued at once
  std::uint32_t batch = 1;     ///< how many may run together
  BatchKind kind = BatchKind::continuous;
  bool keeps_kv = true;  ///< false: every token is computed from the whole text before it
};

/// Of one run.
struct Measurement {
  double seconds = 0;              ///< from the first request queued to the last token
  double first_token_ms = 0;       ///< of the first request
  double gap_ms = 0;               ///< median from token to token of one request
  double prompt_tokens_per_s = 0;  ///< prompt tokens until the last first token
  double tokens_per_s = 0;         ///< generated, of all requests, over `seconds`
  double decode_tokens_per_s = 0;  ///< generated after the last first token, over the time since then; 0 if none
  std::vector<TokenId> ids;        ///< of the first request: the same in every run
};

/// One run. Prompts are numbered so that no two share a prefix.
Measurement measure(TransformerModel& model, const MeasuredLoad& load);

/// The middle value, of an even number the mean of the two; 0 of none.
double median(std::vector<double> values);

/// Resident memory of this process in bytes: all of it, what is no file's, and the most there ever was. 0 where the
/// system does not tell.
struct ResidentMemory {
  std::uint64_t total = 0;
  std::uint64_t anonymous = 0;
  std::uint64_t peak = 0;
};
ResidentMemory resident_memory();

}  // namespace refserver
