// What the drive stage reports of one request once it has ended: stamps, token events, counts, outcome. Nothing is
// computed here; the record stage turns it into metrics.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace loadgen {

/// How a request ended; a closed set, the same words in logs, points and labels.
enum class Outcome : std::uint8_t {
  ok,
  empty_output,          ///< HTTP 200, clean end, no token
  bad_content,           ///< an expectation of the scenario was not met
  stream_error,          ///< error object in a 200 stream before the first token
  stream_error_partial,  ///< the same after tokens
  truncated,             ///< cut after the first response byte
  reset,                 ///< cut before it
  connect,               ///< refused, unreachable, name
  malformed,             ///< no HTTP, JSON or SSE
  overloaded,            ///< HTTP 429 or 503, or TGI `overloaded`
  http_4xx,
  http_5xx,
  timeout_connect,
  timeout_ttft,
  timeout_total,
  client_resource,  ///< this machine ran out of ports or descriptors: the run is INVALID
  dropped,          ///< due and never sent
  cancelled,        ///< cut off by the plan (end of drain, interrupt); not an error
};
inline constexpr std::size_t outcome_count = 18;

std::string_view label(Outcome outcome) noexcept;

/// True for outcomes that count as failures: neither ok nor cancelled.
constexpr bool is_failure(Outcome outcome) noexcept {
  return outcome != Outcome::ok && outcome != Outcome::cancelled;
}

enum class Phase : std::uint8_t { warmup, measure, drain };
std::string_view label(Phase phase) noexcept;

/// Where the number of output tokens comes from, best first.
/// `tokenizer`: the text of the answer, encoded here.
enum class TokenSource : std::uint8_t { none, server_usage, server_stream, tokenizer, chunks };
std::string_view label(TokenSource source) noexcept;

/// Which clock reading a request's receive stamps are: the kernel's, of the arrival of the bytes, or this thread's
/// own, directly after the read (also when only some reads were stamped by the kernel).
enum class StampSource : std::uint8_t { kernel, user };
std::string_view label(StampSource source) noexcept;

/// CLOCK_MONOTONIC nanoseconds; 0 = this never happened.
struct Stamps {
  std::int64_t intended = 0;   ///< planned start; closed loop: the moment the slot became free
  std::int64_t dispatch = 0;   ///< handed to a connection
  std::int64_t connected = 0;  ///< connection ready (= dispatch on a reused one)
  std::int64_t send = 0;       ///< directly before the first byte is given to the kernel
  std::int64_t sent = 0;       ///< last byte accepted by the kernel
  std::int64_t headers = 0;    ///< response head complete
  std::int64_t first_token = 0;
  std::int64_t first_output = 0;  ///< first token event that brings text or a call: no reasoning
  std::int64_t last_token = 0;
  std::int64_t end = 0;  ///< [DONE] or body complete, or the failure
};

/// One token-bearing event: when its bytes arrived, and how many new tokens it brought (0 = unknown).
struct TokenEvent {
  std::int64_t at_ns = 0;
  std::uint32_t tokens = 1;
};

/// What of one ended request is a number, or a word of a fixed set.
struct RequestNumbers {
  std::uint64_t index = 0;  ///< position in the plan
  std::uint32_t entry = 0;  ///< position in the mix
  Phase phase = Phase::warmup;
  Outcome outcome = Outcome::cancelled;
  std::uint16_t http_status = 0;  ///< 0 = no response head
  bool new_connection = false;
  bool streamed = false;             ///< asked for as a stream
  std::uint64_t connection = 0;      ///< its number, from 1, unique in the process; 0: none could be had
  std::uint64_t request_bytes = 0;   ///< head and body
  std::uint64_t response_bytes = 0;  ///< read so far, heads and framing included
  StampSource stamp_source = StampSource::kernel;
  Stamps stamps;
  std::int64_t write_delay_ns = 0;       ///< from the send stamp to the return of the first write
  std::int64_t recv_delay_first_ns = 0;  ///< from the arrival of the first token's last byte to its read
  std::int64_t recv_delay_max_ns = 0;    ///< the largest over all reads; 0 where the kernel gave no stamp
  std::uint32_t requested_tokens = 0;
  std::uint32_t output_tokens = 0;
  TokenSource token_source = TokenSource::none;
  std::optional<std::uint32_t> input_tokens;
  std::uint32_t requested_input_tokens = 0;  ///< of a prompt that was made up; 0: it was given
  std::uint32_t coalesced_events = 0;        ///< token events that shared a read with another
  std::uint32_t index_breaks = 0;            ///< TGI: token events whose index does not follow that of the one before
};

/// Everything about one ended request but its token events: small enough to keep for each request of a run.
struct RequestFacts : RequestNumbers {
  std::string finish_reason;
  std::string error_type;  ///< the server's own word, if any
  std::string error;       ///< one line for people
  std::string truth;       ///< the server's own record of it, where the answer brought one: JSON, unread
};

/// What a worker reports: the facts and the token events, in order.
struct RequestRecord : RequestFacts {
  std::vector<TokenEvent> events;
  std::string prompt;  ///< as sent, where the answer may repeat it; else empty

  /// Ready for the next request; keeps the memory of texts and events.
  void clear() noexcept {
    static_cast<RequestNumbers&>(*this) = {};
    for (std::string* text : {&finish_reason, &error_type, &error, &truth, &prompt}) text->clear();
    events.clear();
  }
};

}  // namespace loadgen
