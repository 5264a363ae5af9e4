// What a worker sends and when: the slots of a closed loop, the pacer of an open one, and the life of one request.
#include <algorithm>

#include "loadgen/drive/worker_impl.hpp"
#include "loadgen/schedule/arrivals.hpp"

namespace loadgen {
namespace {

/// A slot whose request failed waits before it sends the next planned one, longer each time: a dead server must not
/// turn a closed loop into a busy loop.
std::int64_t pause_after_failures(std::uint32_t failures) noexcept {
  constexpr std::int64_t base = 10'000'000;
  constexpr std::int64_t cap = 1'000'000'000;
  return std::min(cap, base << std::min(failures - 1, 10U));
}

}  // namespace

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

}  // namespace loadgen
