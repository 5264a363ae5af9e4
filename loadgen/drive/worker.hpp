// One I/O thread: its own event loop, connections and share of the plan. Sends what is due when it is due and reports
// every ended request to its observer, on its own thread. Workers share nothing but the read-only run control.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <vector>

#include "loadgen/drive/arrival.hpp"
#include "loadgen/drive/request_record.hpp"
#include "loadgen/drive/targets.hpp"
#include "loadgen/plan/plan.hpp"
#include "loadgen/schedule/dealing.hpp"

namespace loadgen {

/// The window and the stop signal, written by the controller, read by every worker. Nanoseconds of the monotonic clock.
struct RunControl {
  static constexpr std::int64_t not_yet = INT64_MAX;
  std::atomic<std::int64_t> window_begin{not_yet};
  std::atomic<std::int64_t> window_end{not_yet};
};

/// Where a worker tells what happened. Called on the worker's thread, between reads; must not block.
class WorkerObserver {
 public:
  virtual ~WorkerObserver() = default;
  /// A request of mix entry `entry` has been started.
  virtual void on_start(std::uint32_t entry) = 0;
  /// A request has ended. The record is valid during the call, which may come a little after the end: when there is
  /// nothing to be read or sent, or before the next posted function.
  virtual void on_request(const RequestRecord& record) = 0;
  /// Something was read in the window.
  virtual void on_read(const Arrival& arrival) = 0;
  /// How late a 1 ms timer of this thread fired.
  virtual void on_loop_lag(std::int64_t lag_ns) = 0;
};

/// Counters a controller may read at any time.
struct WorkerCounters {
  std::atomic<std::uint64_t> sent{0}, ok{0}, failed{0}, tokens{0};
  std::atomic<std::uint32_t> in_flight{0};
  std::atomic<std::uint32_t> max_in_flight_in_window{0};
  std::atomic<std::uint32_t> measured_open{0};     ///< requests of the window that have not ended
  std::atomic<std::uint64_t> measured_started{0};  ///< requests of the window that have been started
  std::atomic<std::int64_t> last_measured_end{0};  ///< when the latest of them ended
  std::atomic<std::int64_t> planned_through{0};    ///< open loop: everything due before this has been started
  std::atomic<std::int64_t> quota_reached{0};      ///< fixed number of requests: when its share was sent; 0 = not yet
  std::atomic<std::int64_t> clock_error_ns{0};     ///< how exactly the kernel's clock is known
  std::atomic<std::uint32_t> clock_steps{0};       ///< how often it was set meanwhile
};

struct WorkerConfig {
  Share share;  ///< of the plan: which requests this worker sends
  std::string run_id;
};

class Worker {
 public:
  /// `addresses[i]` is where entry i of the mix is sent. All references outlive the worker.
  Worker(const Plan& plan, const RunControl& control, WorkerObserver& observer, WorkerConfig config,
         const std::vector<Address>& addresses);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Starts the thread and opens the first connections, paced; the future is ready when that is done or was given up.
  std::future<void> start();

  /// Sends request 0 at `start_ns`.
  void begin(std::int64_t start_ns);

  /// No new requests; those under way go on.
  void stop_sending();

  /// Cuts every request under way: those of the window end as `measured`, others as cancelled.
  void cut_all(Outcome measured, const char* why);

  /// Runs `f` on the worker's thread between two events.
  void post(std::function<void()> f);

  /// Ends the thread. Nothing is observed after this returns.
  void join();

  const WorkerCounters& counters() const noexcept;
  /// CPU time of the thread so far.
  std::int64_t cpu_ns() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace loadgen
