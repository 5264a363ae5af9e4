// Stalls are merged once, so that each question is one pass in order of time.
#include "refserver/engine/stall_clock.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "refserver/duration.hpp"

namespace refserver {

Result<Stall, std::string> parse_stall(std::string_view text) {
  const std::size_t plus = text.find('+');
  if (plus != std::string_view::npos) {
    const auto after = parse_duration(text.substr(0, plus));
    const auto length = parse_duration(text.substr(plus + 1));
    if (after && length) return Stall{*after, *length};
  }
  std::string shown(text.substr(0, 60));
  std::ranges::replace_if(
      shown, [](char c) { return c < 0x20 || c > 0x7E; }, '?');
  return fmt::format("'{}' is not a stall, AT+FOR, such as 3s+2s", shown);
}

StallClock::StallClock(std::vector<Stall> stalls) {
  std::ranges::sort(stalls, {}, &Stall::after);
  for (const Stall& stall : stalls) {
    if (stall.length.count() <= 0) continue;
    if (stalls_.empty() || stall.after > stalls_.back().after + stalls_.back().length) {
      stalls_.push_back(stall);
      continue;
    }
    Stall& last = stalls_.back();
    last.length = std::max(last.length, stall.after + stall.length - last.after);
  }
}

TimePoint StallClock::after_stall(TimePoint due) const {
  if (!first_) return due;
  for (const Stall& stall : stalls_) {
    const TimePoint start = *first_ + stall.after;
    if (due < start) break;
    if (due < start + stall.length) return start + stall.length;
  }
  return due;
}

TimePoint StallClock::after_work(TimePoint start, std::chrono::nanoseconds work) const {
  if (!first_) return start + work;
  TimePoint at = start;
  for (const Stall& stall : stalls_) {
    const TimePoint from = *first_ + stall.after;
    const TimePoint to = from + stall.length;
    if (to <= at) continue;
    if (at < from && at + work <= from) break;
    if (at < from) work -= from - at;
    at = to;
  }
  return at + work;
}

}  // namespace refserver
