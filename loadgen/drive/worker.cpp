// The life of an I/O thread: opening connections, looking at deadlines, measuring its own lag; and what a controller
// asks of it.
#include "loadgen/drive/worker.hpp"

#include <pthread.h>
#include <sys/prctl.h>

#include <boost/asio/post.hpp>
#include <cstdio>
#include <map>

#include "loadgen/drive/worker_impl.hpp"

namespace loadgen {
namespace {

constexpr std::int64_t tick_ns = 1'000'000;
constexpr int ticks_per_sweep = 10;
constexpr std::uint32_t connect_parallel = 32;

}  // namespace

void on_coroutine_end(const std::exception_ptr& escaped) {
  if (!escaped) return;
  try {
    std::rethrow_exception(escaped);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "internal error in a worker: %s\n", e.what());
  }
  std::abort();
}

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

Worker::Worker(const Plan& plan, const RunControl& control, WorkerObserver& observer, WorkerConfig config,
               const std::vector<Address>& addresses)
    : impl_(std::make_unique<Impl>(plan, control, observer, std::move(config), addresses)) {}

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
