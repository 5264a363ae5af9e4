// One generation under way: what the HTTP side keeps of it between being asked for and being answered.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "refserver/api/answer_format.hpp"
#include "refserver/api/generate_request.hpp"
#include "refserver/http/truth_log.hpp"
#include "refserver/queue/admission.hpp"

namespace refserver {

/// An answer that goes on in further segments (strict dialect): the request to repeat and what came so far.
struct Segments {
  GenerateRequest request;
  std::uint32_t total_new_tokens = 0;  ///< of all segments together, as asked
  std::uint32_t tokens_before = 0;     ///< of the segments that ended
  std::string text;                    ///< of the segment that runs
};

struct Generation {
  std::size_t job = 0;  ///< of the answer's requests; several sequences share one with best_of
  std::optional<Admission::Permit> permit;
  TruthRecord truth;   ///< its id is the sequence's
  TimePoint queued{};  ///< handed to the engine
  TimePoint ended{};   ///< its last token came
  std::uint32_t prompt_tokens = 0;
  std::unique_ptr<StreamFormat> stream;
  std::unique_ptr<CollectedAnswer> whole;
  std::deque<TokenEvent> waiting;  ///< came before their turn; only where several sequences share a stream
  std::optional<Error> error;      ///< ends it, after what is waiting
  std::unique_ptr<Segments> segments;
  std::unique_ptr<TokenEvent> kept;  ///< an event that is to hold more tokens
  std::uint32_t kept_tokens = 0;     ///< in it
  std::size_t unstamped = 0;         ///< tokens formatted and not yet handed to the kernel
  std::string_view outcome = "ok";
  bool is_closed = false;  ///< everything of it is formatted

  /// When inference began, for the x- headers and for metrics.
  TimePoint started_at() const { return std::max(queued, truth.scheduled); }
};

}  // namespace refserver
