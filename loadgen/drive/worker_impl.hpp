// What a worker is made of. Internal to drive: worker.cpp holds the life of its thread, worker_sending.cpp what it
// sends.
#pragma once

#include <deque>
#include <optional>
#include <thread>

#include "loadgen/drive/clock.hpp"
#include "loadgen/drive/courier.hpp"
#include "loadgen/drive/event_loop.hpp"
#include "loadgen/drive/gathering.hpp"
#include "loadgen/drive/request_writer.hpp"
#include "loadgen/drive/worker.hpp"
#include "loadgen/plan/level_profile.hpp"
#include "loadgen/schedule/arrivals.hpp"

namespace loadgen {

struct Worker::Impl final : Courier::Client {
  /// An exchange, and what the worker has to know of it when it ends.
  struct Request : Exchange {
    static constexpr std::uint32_t no_slot = UINT32_MAX;
    std::uint32_t slot = no_slot;  ///< of a closed loop
    bool counted = false;          ///< one of the window's
  };
  /// The pacer of an open loop: the next request of this worker stands ready, so that its instant only has to send it.
  struct Pacer {
    ArrivalSequence arrivals;
    OpenDeal deal;
    std::int64_t start_ns = 0;
    std::uint64_t index = 0;  ///< in the plan
    std::int64_t due_ns = 0;
    std::uint64_t measured = 0;  ///< arrivals in the window so far, those of others too
    Request* ready = nullptr;    ///< prepared for `index`, its bytes in `bytes`; null: another's
    std::string bytes;
    bool is_over = false;
  };

  /// A user of the closed loop: how far it has come.
  struct Slot {
    std::uint64_t turn = 0;      ///< of its next request
    std::uint64_t measured = 0;  ///< requests of the window it has started
    std::uint32_t failures = 0;  ///< one after the other, up to now
  };

  Impl(const Plan& plan_, const RunControl& control_, WorkerObserver& observer_, WorkerConfig config_,
       const std::vector<Address>& addresses);

  // wiring
  std::vector<Endpoint> index_targets(const std::vector<Address>& addresses);
  std::uint32_t connections_wanted(std::size_t target) const;

  // life of the thread
  void run_thread();
  void preconnect(std::promise<void> ready);
  void tick(std::int64_t due_ns);

  // the closed loop
  void start_slots(std::uint32_t from);
  void start_in_slot(std::uint32_t slot, std::int64_t due_ns, std::int64_t now_ns);
  void schedule_in_slot(std::uint32_t slot, std::int64_t earliest_ns, std::int64_t now_ns);
  bool has_quota_left(std::uint32_t slot) const;
  void retire_slot(std::int64_t now_ns);

  // the open loop
  void start_pacing(std::int64_t start_ns);
  void pace();
  void plan_next_arrival();
  bool is_end_of_plan();
  void drop(std::uint64_t index, std::int64_t due_ns);

  // one request
  Request& prepare(std::uint64_t index, std::string& bytes);
  void dispatch(Request& request, std::string_view bytes, std::int64_t intended_ns, std::int64_t now_ns, bool counted);
  void on_over(Exchange& exchange) override;
  void go_on_in_slot(std::uint32_t slot, bool failed);
  void on_sent(Exchange& exchange) override;
  void on_read(const Exchange& exchange, const Arrival& arrival) override;
  bool record_some();
  void record_oldest();
  void record_now(Request& request);
  void record_all();
  void note_in_flight();
  Phase phase_of(const RequestRecord& record) const noexcept;
  bool in_window(std::int64_t at_ns) const noexcept;
  Request& take_request();

  const Plan& plan;
  const RunControl& control;
  WorkerObserver& observer;
  WorkerConfig config;
  RequestWriter writer;
  std::vector<std::size_t> entry_target;  ///< mix entry -> endpoint
  EventLoop loop;
  Courier courier;
  IntakePool intakes;
  std::vector<std::unique_ptr<Request>> made;  ///< all requests there are
  std::vector<Request*> spare;
  std::deque<Request*> ended;           ///< long ones not recorded yet: that waits until nothing is to be read or sent
  std::optional<ClosedDeal> deal;       ///< of a closed loop
  std::optional<LevelProfile> profile;  ///< of one whose concurrency changes
  std::vector<Slot> slots;
  std::uint32_t slots_over = 0;  ///< how many will not send again
  std::int64_t start_ns = 0;
  std::string bytes;  ///< of the request being sent
  std::optional<Pacer> pacer;
  std::size_t targets_opening = 0;
  std::optional<std::promise<void>> opened;
  WorkerCounters counters;
  std::uint32_t ticks = 0;
  GatheringWindow gathering;
  bool reads_are_stamped = false;  ///< the last one was, by the kernel
  bool stopping = false;           ///< no new requests
  std::int64_t stopped_ns = 0;     ///< since when
  std::thread thread;
  clockid_t cpu_clock{};
  std::atomic<bool> has_cpu_clock{false};
};

}  // namespace loadgen
