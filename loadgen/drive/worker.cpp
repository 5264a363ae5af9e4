// The event loop of one I/O thread: slots of a closed loop, the pacer of an open one, deadlines, and the loop's own
// lag.
#include "loadgen/drive/worker.hpp"

#include <pthread.h>
#include <sys/prctl.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <cstdio>
#include <map>
#include <thread>

#include "loadgen/drive/asio_types.hpp"
#include "loadgen/drive/clock.hpp"
#include "loadgen/drive/connection_pool.hpp"
#include "loadgen/drive/exchange.hpp"
#include "loadgen/drive/request_writer.hpp"
#include "loadgen/schedule/arrivals.hpp"

namespace loadgen {
namespace {

constexpr std::int64_t tick_ns = 1'000'000;
constexpr int ticks_per_sweep = 10;
constexpr std::uint32_t connect_parallel = 32;

/// A slot whose request failed waits before it sends the next planned one, longer each time: a dead server must not
/// turn a closed loop into a busy loop.
std::int64_t pause_after_failures(std::uint32_t failures) noexcept {
  constexpr std::int64_t base = 10'000'000;
  constexpr std::int64_t cap = 1'000'000'000;
  return std::min(cap, base << std::min(failures - 1, 10U));
}

/// The share of `total` that falls to worker `index` of `count`, dealt one by one.
std::uint64_t share_of(std::uint64_t total, std::uint32_t index, std::uint32_t count) noexcept {
  return total / count + (index < total % count ? 1 : 0);
}

/// Coroutines handle their errors; what escapes one is a bug and must not pass for a result.
void on_coroutine_end(const std::exception_ptr& escaped) {
  if (!escaped) return;
  try {
    std::rethrow_exception(escaped);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "internal error in a worker: %s\n", e.what());
  }
  std::abort();
}

}  // namespace

struct Worker::Impl {
  Impl(const Plan& plan_, const RunControl& control_, WorkerObserver& observer_, WorkerConfig config_,
       std::vector<Address> addresses)
      : plan(plan_),
        control(control_),
        observer(observer_),
        config(std::move(config_)),
        writer(plan, config.run_id),
        pool(index_targets(addresses)) {}

  // --- wiring
  // ---------------------------------------------------------------------------------------------------------
  std::size_t index_targets(const std::vector<Address>& addresses);
  std::uint32_t connections_wanted(std::size_t target) const;

  // --- life of the thread
  // ---------------------------------------------------------------------------------------------
  void run_thread();
  Task<void> open_connections(std::size_t target, std::shared_ptr<std::uint32_t> left);
  Task<void> preconnect(std::promise<void> ready);
  Task<void> tick();
  void sweep(std::int64_t now);

  // --- sending
  // --------------------------------------------------------------------------------------------------------
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

std::size_t Worker::Impl::index_targets(const std::vector<Address>& addresses) {
  std::map<Endpoint, std::size_t> seen;
  for (const Address& address : addresses) {
    const Endpoint endpoint(asio::ip::make_address(address.text), address.port);
    const auto [it, is_new] = seen.emplace(endpoint, endpoints.size());
    if (is_new) endpoints.push_back(endpoint);
    entry_target.push_back(it->second);
  }
  return endpoints.size();
}

std::uint32_t Worker::Impl::connections_wanted(std::size_t target) const {
  const Scenario& scenario = plan.scenario();
  double share = 0;
  double all = 0;
  for (std::size_t i = 0; i < scenario.mix.size(); ++i) {
    all += scenario.mix[i].weight;
    if (entry_target[i] == target) share += scenario.mix[i].weight;
  }
  // An open loop's need is not known beforehand: a tenth of a second's arrivals, and more on demand.
  const auto* closed = std::get_if<ClosedLoop>(&scenario.load);
  const auto* open = std::get_if<OpenLoop>(&scenario.load);
  std::uint64_t wanted = closed != nullptr ? closed->concurrency : static_cast<std::uint64_t>(open->rate * 0.1) + 4;
  const auto& requests = scenario.length.requests;
  if (closed != nullptr && requests && scenario.warmup == nanoseconds(0)) wanted = std::min(wanted, *requests);
  wanted = share_of(std::min<std::uint64_t>(wanted, 65536), config.index, config.count);
  return static_cast<std::uint32_t>(static_cast<double>(wanted) * share / all + 0.999);
}

// --- life of the thread
// -----------------------------------------------------------------------------------------------

void Worker::Impl::run_thread() {
  prctl(PR_SET_TIMERSLACK, 1UL);
  pthread_getcpuclockid(pthread_self(), &cpu_clock);
  has_cpu_clock.store(true, std::memory_order_release);
  io.run();
}

Task<void> Worker::Impl::open_connections(std::size_t target, std::shared_ptr<std::uint32_t> left) {
  while (*left > 0) {
    --*left;
    auto connection = std::make_unique<Connection>(io.get_executor());
    // A failure here is no request's failure: the request that needs the connection will try, and report.
    if (const ErrorCode ec = co_await connect(*connection, endpoints[target]); ec) co_return;
    pool.put_back(target, std::move(connection));
  }
}

Task<void> Worker::Impl::preconnect(std::promise<void> ready) {
  const std::int64_t give_up = monotonic_ns() + plan.scenario().timeouts.connect.count();
  std::size_t wanted = 0;
  for (std::size_t target = 0; target < endpoints.size(); ++target) {
    auto left = std::make_shared<std::uint32_t>(connections_wanted(target));
    wanted += *left;
    const std::uint32_t openers = std::min(*left, connect_parallel);
    for (std::uint32_t i = 0; i < openers; ++i) spawn(open_connections(target, left));
  }
  Timer timer(io);
  const auto opened = [this] {
    std::size_t sum = 0;
    for (std::size_t target = 0; target < endpoints.size(); ++target) sum += pool.idle(target);
    return sum;
  };
  while (opened() < wanted && monotonic_ns() < give_up) {
    timer.expires_after(std::chrono::milliseconds(1));
    co_await timer.async_wait(as_result);
  }
  ready.set_value();
}

Task<void> Worker::Impl::tick() {
  std::int64_t due = monotonic_ns() + tick_ns;
  for (int n = 0;; ++n) {
    tick_timer.expires_at(steady_time(due));
    const auto [ec] = co_await tick_timer.async_wait(as_result);
    if (ec) co_return;
    const std::int64_t now = monotonic_ns();
    if (in_window(now)) observer.on_loop_lag(now - due);
    due = std::max(due + tick_ns, now);
    if (n % ticks_per_sweep == 0) sweep(now);
  }
}

void Worker::Impl::sweep(std::int64_t now) {
  // Cutting an exchange never removes it from the list at once: that happens when its coroutine resumes.
  for (Exchange* exchange : active) {
    if (now >= exchange->deadline_ns) exchange->cut_at_deadline();
  }
}

// --- sending
// ----------------------------------------------------------------------------------------------------------

bool Worker::Impl::in_window(std::int64_t at_ns) const noexcept {
  return at_ns >= control.window_begin.load(std::memory_order_relaxed) &&
         at_ns < control.window_end.load(std::memory_order_relaxed);
}

Phase Worker::Impl::phase_of(const RequestRecord& record) const noexcept {
  const std::int64_t anchor =
      is_open_loop(plan.scenario()) || record.stamps.send == 0 ? record.stamps.intended : record.stamps.send;
  if (anchor < control.window_begin.load(std::memory_order_relaxed)) return Phase::warmup;
  return anchor < control.window_end.load(std::memory_order_relaxed) ? Phase::measure : Phase::drain;
}

Task<void> Worker::Impl::start_slots(std::int64_t start_ns) {
  const auto& closed = std::get<ClosedLoop>(plan.scenario().load);
  pace_timer.expires_at(steady_time(start_ns));
  co_await pace_timer.async_wait(as_result);
  const std::uint64_t slots = share_of(closed.concurrency, config.index, config.count);
  for (std::uint64_t i = 0; i < slots && !stopping; ++i) spawn(closed_slot());
}

bool Worker::Impl::take_closed_request(std::uint64_t& index, bool& measured) {
  if (stopping) return false;
  measured = in_window(monotonic_ns());
  if (measured && plan.scenario().length.requests) {
    if (measured_taken >= share_of(*plan.scenario().length.requests, config.index, config.count)) {
      counters.quota_reached.store(monotonic_ns(), std::memory_order_relaxed);
      return false;
    }
    ++measured_taken;
  }
  index = config.index + next_index++ * config.count;
  return true;
}

Task<void> Worker::Impl::closed_slot() {
  auto exchange = take_exchange();
  std::uint32_t failures = 0;
  std::uint64_t index = 0;
  bool measured = false;
  while (take_closed_request(index, measured)) {
    co_await perform(*exchange, index, monotonic_ns(), measured);
    failures = is_failure(exchange->record.outcome) ? failures + 1 : 0;
    if (failures == 0) continue;
    Timer pause(io);
    pause.expires_after(std::chrono::nanoseconds(pause_after_failures(failures)));
    co_await pause.async_wait(as_result);
  }
  spare_exchanges.push_back(std::move(exchange));
}

bool Worker::Impl::open_loop_quota_used(std::int64_t due_ns, std::uint64_t& measured) {
  const auto& requests = plan.scenario().length.requests;
  if (!requests || !in_window(due_ns) || measured++ < *requests) return false;
  counters.quota_reached.store(due_ns, std::memory_order_relaxed);
  return true;
}

Task<void> Worker::Impl::pace(std::int64_t start_ns) {
  ArrivalSequence arrivals(std::get<OpenLoop>(plan.scenario().load), plan.scenario().seed);
  std::uint64_t measured = 0;
  for (std::uint64_t index = 0;; ++index) {
    const std::int64_t due = start_ns + arrivals.next();
    counters.planned_through.store(due, std::memory_order_relaxed);
    if (index % config.count == config.index && due > monotonic_ns()) {
      pace_timer.expires_at(steady_time(due));
      co_await pace_timer.async_wait(as_result);
    }
    if (open_loop_quota_used(due, measured)) break;
    const bool mine = index % config.count == config.index;
    if (stopping && due > stopped_ns) break;
    if (mine && stopping) {
      drop(index, due);
    } else if (mine) {
      spawn(open_request(index, due));
    }
  }
  counters.planned_through.store(INT64_MAX, std::memory_order_relaxed);
}

void Worker::Impl::drop(std::uint64_t index, std::int64_t due_ns) {
  RequestRecord record;
  record.index = index;
  record.entry = plan.request(index).entry;
  record.outcome = Outcome::dropped;
  record.error = "due, and not sent before the run was stopped";
  record.stamps.intended = record.stamps.end = due_ns;
  record.phase = phase_of(record);
  counters.failed.fetch_add(1, std::memory_order_relaxed);
  observer.on_request(record);
}

Task<void> Worker::Impl::open_request(std::uint64_t index, std::int64_t due_ns) {
  auto exchange = take_exchange();
  co_await perform(*exchange, index, due_ns, in_window(due_ns));
  spare_exchanges.push_back(std::move(exchange));
}

Task<void> Worker::Impl::perform(Exchange& exchange, std::uint64_t index, std::int64_t intended_ns, bool counted) {
  const PlannedRequest planned = plan.request(index);
  const MixEntry& entry = plan.scenario().mix[planned.entry];
  exchange.prepare(entry, plan.scenario().timeouts);
  exchange.live_tokens = &counters.tokens;
  RequestRecord& record = exchange.record;
  record.index = index;
  record.entry = planned.entry;
  record.stamps.intended = intended_ns;
  record.stamps.dispatch = monotonic_ns();
  writer.write(planned, exchange.request_bytes);
  add_active(exchange);
  observer.on_start(planned.entry);
  if (counted) {
    counters.measured_open.fetch_add(1, std::memory_order_relaxed);
    counters.measured_started.fetch_add(1, std::memory_order_relaxed);
  }
  const std::size_t target = entry_target[planned.entry];
  std::unique_ptr<Connection> connection = co_await acquire(exchange, target);
  if (connection) {
    counters.sent.fetch_add(1, std::memory_order_relaxed);
    const bool reusable = co_await exchange.run(*connection);
    exchange.set_connection(nullptr);
    if (reusable) pool.put_back(target, std::move(connection));
  }
  remove_active(exchange);
  settle(exchange, counted);
}

Task<std::unique_ptr<Connection>> Worker::Impl::acquire(Exchange& exchange, std::size_t target) {
  RequestRecord& record = exchange.record;
  auto connection = pool.take(target);
  if (connection) {
    record.stamps.connected = record.stamps.dispatch;
    exchange.set_connection(connection.get());
    co_return connection;
  }
  record.new_connection = true;
  exchange.deadline_ns = record.stamps.dispatch + plan.scenario().timeouts.connect.count();
  connection = std::make_unique<Connection>(io.get_executor());
  exchange.set_connection(connection.get());
  if (const ErrorCode ec = co_await connect(*connection, endpoints[target]); ec) {
    exchange.set_connection(nullptr);
    exchange.fail_connect(ec);
    co_return nullptr;
  }
  exchange.deadline_ns = INT64_MAX;
  record.stamps.connected = monotonic_ns();
  co_return connection;
}

void Worker::Impl::settle(Exchange& exchange, bool counted) {
  RequestRecord& record = exchange.record;
  record.phase = phase_of(record);
  (is_failure(record.outcome) ? counters.failed : counters.ok).fetch_add(1, std::memory_order_relaxed);
  if (!record.streamed) counters.tokens.fetch_add(record.output_tokens, std::memory_order_relaxed);
  observer.on_request(record);
  if (!counted) return;
  counters.last_measured_end.store(record.stamps.end, std::memory_order_relaxed);
  counters.measured_open.fetch_sub(1, std::memory_order_release);
}

void Worker::Impl::add_active(Exchange& exchange) {
  exchange.active_position = active.size();
  active.push_back(&exchange);
  const auto in_flight = static_cast<std::uint32_t>(active.size());
  counters.in_flight.store(in_flight, std::memory_order_relaxed);
  if (in_flight > counters.max_in_flight_in_window.load(std::memory_order_relaxed) && in_window(monotonic_ns())) {
    counters.max_in_flight_in_window.store(in_flight, std::memory_order_relaxed);
  }
}

void Worker::Impl::remove_active(Exchange& exchange) {
  active[exchange.active_position] = active.back();
  active[exchange.active_position]->active_position = exchange.active_position;
  active.pop_back();
  counters.in_flight.store(static_cast<std::uint32_t>(active.size()), std::memory_order_relaxed);
}

std::unique_ptr<Exchange> Worker::Impl::take_exchange() {
  if (spare_exchanges.empty()) return std::make_unique<Exchange>();
  auto exchange = std::move(spare_exchanges.back());
  spare_exchanges.pop_back();
  return exchange;
}

// --- what the controller calls
// ----------------------------------------------------------------------------------------

Worker::Worker(const Plan& plan, const RunControl& control, WorkerObserver& observer, WorkerConfig config,
               std::vector<Address> addresses)
    : impl_(std::make_unique<Impl>(plan, control, observer, std::move(config), std::move(addresses))) {}

Worker::~Worker() {
  join();
}

std::future<void> Worker::start() {
  std::promise<void> ready;
  auto future = ready.get_future();
  impl_->spawn(impl_->tick());
  impl_->spawn(impl_->preconnect(std::move(ready)));
  impl_->thread = std::thread([impl = impl_.get()] { impl->run_thread(); });
  return future;
}

void Worker::begin(std::int64_t start_ns) {
  post([impl = impl_.get(), start_ns] {
    if (is_open_loop(impl->plan.scenario())) {
      impl->spawn(impl->pace(start_ns));
    } else {
      impl->spawn(impl->start_slots(start_ns));
    }
  });
}

void Worker::stop_sending() {
  post([impl = impl_.get()] {
    if (impl->stopping) return;
    impl->stopping = true;
    impl->stopped_ns = monotonic_ns();
    impl->pace_timer.cancel();
  });
}

void Worker::cut_all(Outcome measured, const char* why) {
  post([impl = impl_.get(), measured, why] {
    for (Exchange* exchange : impl->active) {
      const bool counts = impl->phase_of(exchange->record) == Phase::measure;
      exchange->cut(counts ? measured : Outcome::cancelled, counts ? why : "the run ended");
    }
  });
}

void Worker::post(std::function<void()> f) {
  asio::post(impl_->io, std::move(f));
}

void Worker::join() {
  if (!impl_->thread.joinable()) return;
  post([impl = impl_.get()] {
    impl->stopping = true;
    impl->work.reset();
    impl->io.stop();
  });
  impl_->thread.join();
  impl_->pool.clear();  // its sockets must go before their event loop
}

const WorkerCounters& Worker::counters() const noexcept {
  return impl_->counters;
}

std::int64_t Worker::cpu_ns() const noexcept {
  if (!impl_->has_cpu_clock.load(std::memory_order_acquire)) return 0;
  timespec t{};
  if (clock_gettime(impl_->cpu_clock, &t) != 0) return 0;
  return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

}  // namespace loadgen
