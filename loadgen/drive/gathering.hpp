// How long may what has arrived wait for company before a thread wakes up to read it? Follows the gaps between the
// events of its streams, so that two events of one stream hardly ever share a read. Pure: told of reads and of time
// that passes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace loadgen {

/// The window of one thread: at most a twentieth of the smallest usual gap of its streams, never more than
/// `longest_ns`. It shrinks at once and grows slowly. Times are nanoseconds.
class GatheringWindow {
 public:
  static constexpr std::int64_t longest_ns = 1'000'000;
  /// Where nothing is known about gaps, and where an answer is short: so much later a closed loop may send again.
  static constexpr std::int64_t usual_ns = 200'000;
  static constexpr std::int64_t share_of_gap = 20;

  /// A read brought `events` token events of a stream that has one every `usual_gap_ns`; 0: not known yet.
  void on_events(std::int64_t usual_gap_ns, std::size_t events) noexcept {
    was_read_ = true;
    if (events > 1) window_ns_ /= 2;
    if (usual_gap_ns > 0) limit(usual_gap_ns / share_of_gap);
  }

  /// A read ended an answer that took this long: whoever waits for it in a closed loop sends next.
  void on_end(std::int64_t duration_ns) noexcept {
    was_read_ = true;
    limit(std::max(usual_ns, duration_ns / share_of_gap));
  }

  /// A millisecond has passed. `is_worth_it`: there are many streams, and waiting moves none of their stamps.
  void on_tick(bool is_worth_it) noexcept {
    is_worth_it_ = is_worth_it;
    const std::int64_t now_ns = was_read_ ? window_ns_ + growth_ns : std::min(window_ns_, usual_ns);
    window_ns_ = std::min(now_ns, std::min(smallest_ns_, smallest_before_ns_));
    was_read_ = false;
    if (++ticks_ % ticks_remembered != 0) return;
    smallest_before_ns_ = smallest_ns_;
    smallest_ns_ = longest_ns;
  }

  /// How long to wait after the last turn; 0: not at all.
  std::int64_t ns() const noexcept { return is_worth_it_ ? window_ns_ : 0; }

 private:
  void limit(std::int64_t ns) noexcept {
    smallest_ns_ = std::min(smallest_ns_, ns);
    window_ns_ = std::min(window_ns_, ns);
  }

  static constexpr std::int64_t growth_ns = 20'000;  ///< a millisecond
  /// What limits the window has an event every 20 ms or more often: it is seen again before it is forgotten.
  static constexpr std::uint32_t ticks_remembered = 2 * share_of_gap * longest_ns / 1'000'000;

  std::int64_t window_ns_ = usual_ns;
  std::int64_t smallest_ns_ = longest_ns;         ///< limit since the last change of periods
  std::int64_t smallest_before_ns_ = longest_ns;  ///< in the period before
  std::uint32_t ticks_ = 0;
  bool was_read_ = false;  ///< something, since the last tick
  bool is_worth_it_ = false;
};

}  // namespace loadgen
