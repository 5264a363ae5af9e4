// Points in time at which something must be looked at. Entries are not taken back: whoever pops one checks whether it
// still means anything.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <queue>
#include <vector>

#include "refserver/api/token_event.hpp"

namespace refserver {

enum class DeadlineKind : std::uint8_t { queue_timeout, total };

struct Deadline {
  TimePoint at;
  RequestId request = 0;
  DeadlineKind kind = DeadlineKind::total;
  bool operator>(const Deadline& other) const { return at != other.at ? at > other.at : request > other.request; }
};

class DeadlineHeap {
 public:
  void push(Deadline deadline) { heap_.push(deadline); }
  std::optional<TimePoint> next() const {
    if (heap_.empty()) return std::nullopt;
    return heap_.top().at;
  }
  /// The earliest of those that have passed.
  std::optional<Deadline> pop(TimePoint now) {
    if (heap_.empty() || heap_.top().at > now) return std::nullopt;
    const Deadline first = heap_.top();
    heap_.pop();
    return first;
  }

 private:
  std::priority_queue<Deadline, std::vector<Deadline>, std::greater<>> heap_;
};

}  // namespace refserver
