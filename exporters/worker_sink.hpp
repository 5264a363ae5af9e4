// What sinks have in common whose write() only queues: a thread of its own that delivers, and how it comes to its end.
// Knows neither queue nor receiver.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "exporters/sink.hpp"

namespace exporters {

class WorkerSink : public Sink {
 public:
  /// Wakes the thread, which has the drain time from the first call on, waits for its end, and settles the account.
  SinkAccount finish() noexcept final;

 protected:
  using Clock = std::chrono::steady_clock;

  explicit WorkerSink(std::chrono::milliseconds drain_time) : drain_time_(drain_time) {}

  /// The last thing a sink's constructor does: the thread uses all of the sink. Its destructor calls finish().
  void start();
  /// The thread, which has low priority: whoever produces the records may be measuring. Returns when there is nothing
  /// left after `stopping_`, or soon after `deadline_`.
  virtual void run() = 0;

  mutable std::mutex mutex_;      ///< of all below and of what a sink shares with its thread
  std::condition_variable wake_;  ///< there is something to do, or `stopping_` was set
  bool stopping_ = false;         ///< nothing will be written any more
  Clock::time_point deadline_ = Clock::time_point::max();

 private:
  const std::chrono::milliseconds drain_time_;
  std::thread worker_;
};

}  // namespace exporters
