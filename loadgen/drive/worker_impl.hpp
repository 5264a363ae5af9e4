// What a worker is made of. Internal to drive: worker.cpp holds the life of its thread, worker_sending.cpp what it
// sends.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <thread>

#include "loadgen/drive/asio_types.hpp"
#include "loadgen/drive/clock.hpp"
#include "loadgen/drive/connection_pool.hpp"
#include "loadgen/drive/exchange.hpp"
#include "loadgen/drive/request_writer.hpp"
#include "loadgen/drive/worker.hpp"

namespace loadgen {

/// The share of `total` that falls to worker `index` of `count`, dealt one by one.
inline std::uint64_t share_of(std::uint64_t total, std::uint32_t index, std::uint32_t count) noexcept {
  return total / count + (index < total % count ? 1 : 0);
}

/// Ends the program on an exception that escaped a coroutine: that is a bug, and must not pass for a result.
void on_coroutine_end(const std::exception_ptr& escaped);

struct Worker::Impl {
  Impl(const Plan& plan_, const RunControl& control_, WorkerObserver& observer_, WorkerConfig config_,
       const std::vector<Address>& addresses)
      : plan(plan_),
        control(control_),
        observer(observer_),
        config(std::move(config_)),
        writer(plan, config.run_id),
        pool(index_targets(addresses)) {}

  // wiring
  std::size_t index_targets(const std::vector<Address>& addresses);
  std::uint32_t connections_wanted(std::size_t target) const;

  // life of the thread
  void run_thread();
  Task<void> open_connections(std::size_t target, std::shared_ptr<std::uint32_t> left);
  Task<void> preconnect(std::promise<void> ready);
  Task<void> tick();
  void sweep(std::int64_t now);

  // sending
  Task<void> start_slots(std::int64_t start_ns);
  Task<void> closed_slot();
  Task<void> pace(std::int64_t start_ns);
  bool open_loop_quota_used(std::int64_t due_ns, std::uint64_t& measured);
  bool take_closed_request(std::uint64_t& index, bool& measured);
  void drop(std::uint64_t index, std::int64_t due_ns);
  Task<void> open_request(std::uint64_t index, std::int64_t due_ns);
  Task<void> perform(Exchange& exchange, std::uint64_t index, std::int64_t intended_ns, bool counted);
  Task<std::unique_ptr<Connection>> acquire(Exchange& exchange, std::size_t target);
  void settle(Exchange& exchange, bool counted);
  Phase phase_of(const RequestRecord& record) const noexcept;
  bool in_window(std::int64_t at_ns) const noexcept;

  void add_active(Exchange& exchange);
  void remove_active(Exchange& exchange);
  std::unique_ptr<Exchange> take_exchange();
  void spawn(Task<void> task) { asio::co_spawn(io, std::move(task), on_coroutine_end); }

  const Plan& plan;
  const RunControl& control;
  WorkerObserver& observer;
  WorkerConfig config;
  RequestWriter writer;
  std::vector<Endpoint> endpoints;        ///< distinct targets
  std::vector<std::size_t> entry_target;  ///< mix entry -> endpoint
  ConnectionPool pool;
  asio::io_context io{1};
  asio::executor_work_guard<Executor> work{io.get_executor()};
  Timer tick_timer{io};
  Timer pace_timer{io};
  std::vector<Exchange*> active;
  std::vector<std::unique_ptr<Exchange>> spare_exchanges;
  WorkerCounters counters;
  std::uint64_t next_index = 0;      ///< closed loop: requests taken by this worker
  std::uint64_t measured_taken = 0;  ///< closed loop, fixed number of requests
  bool stopping = false;             ///< no new requests
  std::int64_t stopped_ns = 0;       ///< since when
  std::thread thread;
  clockid_t cpu_clock{};
  std::atomic<bool> has_cpu_clock{false};
};

}  // namespace loadgen
