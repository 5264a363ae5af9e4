// The way in: requests and cancellations from the I/O thread to the engine thread, as parsed types. Bounded.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "refserver/api/token_event.hpp"
#include "refserver/api/valid_request.hpp"

namespace refserver {

/// Where a request stands among others, for policies that ask.
struct Standing {
  std::string tenant{};       ///< whose share of the work it counts towards
  std::uint8_t priority = 0;  ///< class; 0 goes first
};

/// An admitted request waiting for the engine.
struct Pending {
  RequestId id = 0;
  TimePoint received;  ///< when its last byte was read
  ValidRequest request;
  std::string draw_key{};  ///< what simulated engines key random draws by; empty: the id
  Standing standing{};
};

/// What the engine thread takes at once. Cancellations are to be applied first.
struct Work {
  std::vector<RequestId> cancelled;
  std::vector<Pending> submitted;
  bool is_closed = false;
};

class WorkQueue {
 public:
  explicit WorkQueue(std::size_t capacity) : capacity_(capacity) {}

  /// False, with nothing taken, if the queue is full or closed.
  bool try_submit(Pending&& pending);
  /// The request will produce no further tokens once the engine has seen this. Unknown ids are fine. Never refused:
  /// there is at most one per submitted request, and one that is still queued here is simply removed.
  void cancel(RequestId id);
  /// No further submissions; the engine thread ends when it has seen this.
  void close();

  /// Waits until there is work or `deadline` is reached (without one: until there is work), then moves everything to
  /// `out`, whose memory is reused.
  void take(std::optional<TimePoint> deadline, Work& out);

  /// How long ago the engine thread last came back from `take` without having called it again: the length of the step
  /// under way, 0 while it waits for work. Any thread.
  std::chrono::nanoseconds busy_for(TimePoint now) const;
  /// Requests submitted and not yet taken. Any thread.
  std::size_t size() const;

 private:
  bool has_work() const { return !work_.submitted.empty() || !work_.cancelled.empty() || work_.is_closed; }

  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  Work work_;
  std::atomic<TimePoint> busy_since_{TimePoint{}};  ///< the epoch while waiting
};

}  // namespace refserver
