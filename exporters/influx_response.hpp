// What an InfluxDB server's answer to a write means for the batch, and how long to wait before trying again. Pure
// decisions: no socket, no clock, no randomness of its own.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>

#include "exporters/http_answer.hpp"

namespace exporters {

enum class InfluxAction : std::uint8_t {
  stored,    ///< done
  rejected,  ///< `rejected` points are gone for good, the others are stored; go on with the next batch
  stop,      ///< nothing will ever be accepted as things are configured
  split,     ///< too large: send both halves
  retry,     ///< not now: the same bytes again later (writes are idempotent)
};

struct InfluxVerdict {
  InfluxAction action = InfluxAction::stored;
  std::uint64_t rejected = 0;
  std::string reason;                     ///< one line for people; empty if stored
  std::chrono::milliseconds min_wait{0};  ///< what the server asked for, bounded by max_retry_after
};

inline constexpr std::chrono::milliseconds max_retry_after = std::chrono::minutes(2);

/// Verdict on a write of `points` points, to whichever generation: their answers differ in form and so can be told
/// apart. A 400 or 422 never means retry: points of that batch are gone. How many is read
///   - v1, v2: from "dropped=" and from the lines the server could not parse, for which it states dropped=0; if one
///   batch
///     meets both kinds the server reports only the first. Without "partial write" nothing of the batch was stored;
///   - v3: from the list of refused lines. A list of a hundred may have been cut: then all points count as refused.
InfluxVerdict classify_write(const HttpAnswer& answer, std::uint64_t points);

/// Message of an error answer in one line: the JSON member "error" or "message", or the body's text, or the status.
std::string error_message(const HttpAnswer& answer);

/// At most some hundred characters of it, without line breaks and other control characters.
std::string one_line(std::string text);

/// Exponential backoff with full jitter: uniform in [0, min(cap, base * 2^tries)].
class Backoff {
 public:
  struct Range {
    std::chrono::milliseconds base{250};
    std::chrono::milliseconds cap{5'000};  ///< one client that knocks every few seconds hurts nobody
  };
  explicit Backoff(Range range) : range_(range) {}

  /// `uniform` in [0, 1).
  std::chrono::milliseconds next(double uniform) {
    const auto bound = std::min(range_.cap, range_.base * (std::int64_t{1} << tries_));
    tries_ = std::min(tries_ + 1, 20);
    return std::chrono::milliseconds(static_cast<std::int64_t>(uniform * static_cast<double>(bound.count() + 1)));
  }

 private:
  Range range_;
  int tries_ = 0;
};

}  // namespace exporters
