// The life of an I/O thread: opening connections, looking at deadlines, measuring its own lag; and what a controller
// asks of it.
#include "loadgen/drive/worker.hpp"

#include <pthread.h>
#include <sys/prctl.h>

#include <algorithm>
#include <stdexcept>

#include "loadgen/drive/worker_impl.hpp"

namespace loadgen {
namespace {

constexpr std::int64_t tick_ns = 1'000'000;
constexpr std::uint32_t ticks_per_sweep = 10;

/// With as many requests under way reads wait for company: waking up costs more than reading an event.
constexpr std::size_t worth_gathering = 64;

}  // namespace

Worker::Impl::Impl(const Plan& plan_, const RunControl& control_, WorkerObserver& observer_, WorkerConfig config_,
                   const std::vector<Address>& addresses)
    : plan(plan_),
      control(control_),
      observer(observer_),
      config(std::move(config_)),
      writer(plan, config.run_id),
      courier(loop, *this, index_targets(addresses), SourceAddresses(plan.scenario().source_addresses)) {
  courier.limit_idle(plan.scenario().timeouts.idle);
  courier.number_connections(config.share.thread + 1, config.share.threads);
  loop.set_idle([this] { return record_some(); });
}

std::vector<Endpoint> Worker::Impl::index_targets(const std::vector<Address>& addresses) {
  std::vector<Endpoint> endpoints;
  std::vector<Address> seen;
  for (const Address& address : addresses) {
    const auto it = std::find(seen.begin(), seen.end(), address);
    entry_target.push_back(static_cast<std::size_t>(it - seen.begin()));
    if (it == seen.end()) {
      seen.push_back(address);
      const auto endpoint = make_endpoint(address);
      if (!endpoint) throw std::invalid_argument("not an address: " + address.text);
      endpoints.push_back(*endpoint);
    }
  }
  return endpoints;
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
  const Share& mine = config.share;
  wanted = share_of(std::min<std::uint64_t>(wanted, 65536), mine.shard, mine.shards);
  wanted = share_of(wanted, mine.thread, mine.threads);
  return static_cast<std::uint32_t>(static_cast<double>(wanted) * share / all + 0.999);
}

void Worker::Impl::run_thread() {
  prctl(PR_SET_TIMERSLACK, 1UL);
  pthread_getcpuclockid(pthread_self(), &cpu_clock);
  has_cpu_clock.store(true, std::memory_order_release);
  loop.run();
}

void Worker::Impl::preconnect(std::promise<void> ready) {
  opened = std::move(ready);
  const auto finish_opening = [this] {
    if (opened) opened->set_value();
    opened.reset();
  };
  const std::size_t targets = *std::max_element(entry_target.begin(), entry_target.end()) + 1;
  targets_opening = targets;
  loop.call_at(monotonic_ns() + plan.scenario().timeouts.connect.count(), finish_opening);
  for (std::size_t target = 0; target < targets; ++target) {
    courier.open_ahead(target, connections_wanted(target), [this, finish_opening] {
      if (--targets_opening == 0) finish_opening();
    });
  }
}

void Worker::Impl::tick(std::int64_t due_ns) {
  const std::int64_t now = monotonic_ns();
  loop.saw_time(now);
  if (in_window(now)) observer.on_loop_lag(now - due_ns);
  courier.measure_clocks();
  gathering.on_tick(reads_are_stamped && courier.under_way() >= worth_gathering);
  loop.set_gathering(gathering.ns());
  if (++ticks % ticks_per_sweep == 0) {
    courier.sweep(now);
    counters.clock_error_ns.store(courier.realtime_offset().error_ns(), std::memory_order_relaxed);
    counters.clock_steps.store(courier.realtime_offset().steps(), std::memory_order_relaxed);
  }
  const std::int64_t next = std::max(due_ns + tick_ns, now);
  loop.call_at(next, [this, next] { tick(next); });
}

Worker::Worker(const Plan& plan, const RunControl& control, WorkerObserver& observer, WorkerConfig config,
               const std::vector<Address>& addresses)
    : impl_(std::make_unique<Impl>(plan, control, observer, std::move(config), addresses)) {}

Worker::~Worker() {
  join();
}

std::future<void> Worker::start() {
  std::promise<void> ready;
  auto future = ready.get_future();
  impl_->tick(monotonic_ns());
  impl_->preconnect(std::move(ready));
  impl_->thread = std::thread([impl = impl_.get()] { impl->run_thread(); });
  return future;
}

void Worker::begin(std::int64_t start_ns) {
  post([impl = impl_.get(), start_ns] {
    if (is_open_loop(impl->plan.scenario())) {
      impl->start_pacing(start_ns);
    } else {
      impl->start_ns = start_ns;
      impl->loop.call_at(start_ns, [impl] { impl->start_slots(0); });
    }
  });
}

void Worker::stop_sending() {
  post([impl = impl_.get()] {
    if (impl->stopping) return;
    impl->stopping = true;
    impl->stopped_ns = monotonic_ns();
    if (impl->pacer) impl->pace();
  });
}

void Worker::cut_all(Outcome measured, const char* why) {
  post([impl = impl_.get(), measured, why] {
    impl->courier.for_each_under_way([&](Exchange& exchange) {
      const bool counts = impl->phase_of(exchange.record) == Phase::measure;
      impl->courier.cut(exchange, counts ? measured : Outcome::cancelled, counts ? why : "the run ended");
    });
  });
}

void Worker::post(std::function<void()> f) {
  // Who asks from outside sees everything recorded that has ended.
  impl_->loop.post([impl = impl_.get(), task = std::move(f)] {
    impl->record_all();
    task();
  });
}

void Worker::join() {
  if (!impl_->thread.joinable()) return;
  post([impl = impl_.get()] {
    impl->stopping = true;
    impl->loop.stop();
  });
  impl_->thread.join();
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
