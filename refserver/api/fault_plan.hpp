// Faults the server commits on purpose, and who gets which: so that what a client makes of them can be checked. Pure;
// knows no file and no socket.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace refserver {

enum class FaultKind : std::uint8_t {
  status_429,            ///< refused, with Retry-After
  status_503,            ///< likewise
  reset_before_answer,   ///< the connection is reset before the first byte
  reset_after_token,     ///< after the event of token `token`
  reset_inside_event,    ///< in the middle of that event
  half_close,            ///< after that event nothing more is sent, and the body has no end
  stall,                 ///< after that event (0: before the first byte) nothing is sent for `time`
  slow_head,             ///< the head leaves byte by byte, one every `time`
  malformed_event,       ///< the event of that token is no JSON
  missing_token,         ///< its event is left out
  doubled_token,         ///< its event comes twice
  wrong_content_length,  ///< content-length is off by `length_error`
};

/// As in fault files, the truth log and metrics.
std::string_view label(FaultKind kind);
std::optional<FaultKind> find_fault_kind(std::string_view label);
/// "reset_after_token, stall, ...".
std::string fault_kind_names();

/// Which answers a kind can be done to.
enum class FaultScope : std::uint8_t { any, streams, whole_answers };
FaultScope scope_of(FaultKind kind);
/// Whether `token` (counted from 1) means something to it.
bool has_token(FaultKind kind);

struct FaultRule {
  FaultKind kind = FaultKind::status_503;
  // Who. Empty: whoever.
  std::string model;  ///< short name
  std::string route;  ///< path
  std::string key;    ///< the request's x-sim-key header
  // How many of those.
  std::uint64_t every = 1;  ///< the n-th, 2n-th, ... that the rule fits
  double probability = 1;   ///< of each of these, drawn from the seed and the key (without one: the request's number)
  std::uint64_t seed = 0;
  // What.
  std::uint32_t token = 1;
  std::chrono::nanoseconds time{0};
  std::uint32_t retry_after_s = 1;
  std::int32_t length_error = 1;
};

/// /health says 503 for `down` after every `up`, counted from the start.
struct HealthFlap {
  std::chrono::nanoseconds up{0};
  std::chrono::nanoseconds down{0};
};

struct FaultPlan {
  std::vector<FaultRule> rules;
  std::optional<HealthFlap> health;
};

/// Whether the health of a server that has run for `elapsed` is down.
bool is_down(const HealthFlap& flap, std::chrono::nanoseconds elapsed);

/// What a rule looks at.
struct FaultSubject {
  std::uint64_t number = 0;  ///< of the request
  std::string_view model;
  std::string_view route;
  std::string_view key;
  bool is_stream = false;
};

/// Goes through the rules for each request; the first one that takes it counts. One thread.
class FaultPicker {
 public:
  explicit FaultPicker(FaultPlan plan) : plan_(std::move(plan)), fitting_(plan_.rules.size(), 0) {}

  /// Null: the request is answered properly. The rule lives as long as this.
  const FaultRule* pick(const FaultSubject& subject);
  const std::optional<HealthFlap>& health() const { return plan_.health; }

 private:
  FaultPlan plan_;
  std::vector<std::uint64_t> fitting_;  ///< per rule, requests it fitted so far
};

}  // namespace refserver
