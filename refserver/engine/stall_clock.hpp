// Interruptions of a whole server, on one clock for all simulated engines of it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "refserver/api/token_event.hpp"
#include "refserver/result.hpp"

namespace refserver {

/// Nothing leaves in [after, after + length), counted from the first request ever received.
struct Stall {
  std::chrono::nanoseconds after{0};
  std::chrono::nanoseconds length{0};
};

/// "3s+2s": 3 s after the first request, for 2 s. The error says what would be right.
Result<Stall, std::string> parse_stall(std::string_view text);

class StallClock {
 public:
  StallClock() = default;
  /// Stalls that overlap or touch count as one.
  explicit StallClock(std::vector<Stall> stalls);

  /// The first call sets the clock; later ones change nothing.
  void on_received(TimePoint received) {
    if (!first_) first_ = received;
  }
  /// When something due at `due` leaves: at the end of the stall that covers it, else when due.
  TimePoint after_stall(TimePoint due) const;
  /// When work of that length, begun at `start`, is done if nobody works during stalls.
  TimePoint after_work(TimePoint start, std::chrono::nanoseconds work) const;

 private:
  std::vector<Stall> stalls_;  ///< in order, apart
  std::optional<TimePoint> first_;
};

}  // namespace refserver
