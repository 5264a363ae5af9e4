// Phases: connections open, then warm-up, the measured window, and the drain, in which the load goes on until every
// request of the window has ended.
#include "loadgen/conductor.hpp"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "loadgen/drive/clock.hpp"
#include "loadgen/export/stop_signals.hpp"
#include "loadgen/schedule/arrivals.hpp"
#include "loadgen/schedule/dealing.hpp"

namespace loadgen {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t tick_every_ns = 50'000'000;
constexpr int bookkeeping_niceness = 10;
constexpr std::int64_t interrupt_grace_ns = 10 * second_ns;

/// Sleeps until `until_ns` or until a signal to stop arrives; which of them, or 0.
int wait_for_signal(std::int64_t until_ns) {
  const sigset_t set = stop_signals();
  const std::int64_t left = std::max<std::int64_t>(0, until_ns - monotonic_ns());
  const timespec timeout = to_timespec(left);
  return std::max(0, sigtimedwait(&set, nullptr, &timeout));
}

/// So long before the start the workers get their orders: enough for that, too short for the clock to be set meanwhile.
constexpr std::int64_t order_ahead_ns = 20'000'000;
constexpr std::int64_t clock_is_watched_every_ns = 100'000'000;
constexpr std::int64_t late_limit_ns = second_ns;

/// Real time less monotonic time, from the narrowest of a few readings of one between two of the other.
std::int64_t wall_offset_ns() {
  RealtimeOffset offset;
  for (int i = 0; i < 20; ++i) {
    const std::int64_t before = monotonic_ns();
    const std::int64_t real = realtime_ns();
    offset.measure(before, real, monotonic_ns());
  }
  return -offset.to_monotonic(0);
}

std::uint32_t thread_count(const Scenario& scenario) {
  if (scenario.threads != 0) return scenario.threads;
  return std::max(1U, std::thread::hardware_concurrency() / 2);
}

}  // namespace

Conductor::Conductor(const Plan& plan, const std::vector<Address>& addresses, const ConductorOptions& options,
                     RunListener& listener)
    : plan_(plan), scenario_(plan.scenario()), listener_(listener) {
  totals_.facts.run_id = options.run_id;
  totals_.facts.threads = thread_count(scenario_);
  totals_.facts.shard = options.shard.index;
  totals_.facts.shards = options.shard.count;
  totals_.facts.shard_source = options.shard.source;
  totals_.facts.shard_attempt = options.shard.attempt;
  totals_.facts.start_at_ns = options.start_at_ns;
  totals_.entries.resize(scenario_.mix.size());
  totals_.slowest = SlowestRequests(options.slowest);
  add_lanes(options, addresses);
  collector_.emplace(scenario_, lanes_, totals_, listener_);
}

void Conductor::add_lanes(const ConductorOptions& options, const std::vector<Address>& addresses) {
  for (std::uint32_t i = 0; i < totals_.facts.threads; ++i) {
    auto recorder = std::make_unique<Recorder>(scenario_, control_, options.level, options.slowest);
    auto worker = std::make_unique<Worker>(plan_, control_, *recorder,
                                           WorkerConfig{share_of_thread(i), totals_.facts.run_id}, addresses);
    lanes_.add(std::move(recorder), std::move(worker));
  }
}

Share Conductor::share_of_thread(std::uint32_t thread) const noexcept {
  return {totals_.facts.shard, totals_.facts.shards, thread, totals_.facts.threads};
}

std::optional<RunTotals> Conductor::conduct() {
  open_connections();
  if (!wait_for_start()) return std::nullopt;
  start_load();
  while (stage_ != Stage::over) {
    const std::int64_t wake = std::min(collector_->next_boundary(control_), monotonic_ns() + tick_every_ns);
    if (const int signal = wait_for_signal(wake); signal != 0) on_signal(monotonic_ns(), signal);
    tick(monotonic_ns());
  }
  lanes_.join();
  totals_.settle();
  return std::move(totals_);
}

void Conductor::open_connections() {
  lanes_.open_connections();
  // From here on this thread only counts and writes: it must not take a core from a worker that has bytes to stamp.
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), bookkeeping_niceness);
}

/// Until shortly before the common start; the real-time clock, which may be set meanwhile, is looked at again and
/// again. False when it has passed, or a signal came.
bool Conductor::wait_for_start() {
  const auto& start_at = totals_.facts.start_at_ns;
  if (!start_at) return true;
  std::int64_t left = *start_at - realtime_ns();
  for (; left > order_ahead_ns; left = *start_at - realtime_ns()) {
    const std::int64_t nap = std::min(left - order_ahead_ns, clock_is_watched_every_ns);
    if (wait_for_signal(monotonic_ns() + nap) != 0) return false;
  }
  return left > -late_limit_ns;
}

void Conductor::start_load() {
  // Far enough ahead that every worker has its order by then.
  const std::int64_t offset = wall_offset_ns();
  const auto& start_at = totals_.facts.start_at_ns;
  start_ns_ = start_at ? *start_at - offset : monotonic_ns() + order_ahead_ns;
  totals_.facts.mono_start_ns = start_ns_;
  totals_.facts.wall_start_ms = (start_ns_ + offset) / 1'000'000;
  stage_begin_ns_ = start_ns_;
  collector_->begin(start_ns_);
  if (scenario_.warmup) set_window(start_ns_ + scenario_.warmup->count());
  lanes_.begin(start_ns_);
  listener_.on_event(totals_.facts, start_ns_, "start", "run started");
}

void Conductor::set_window(std::int64_t begin_ns) {
  control_.window_begin.store(begin_ns);
  totals_.facts.window.begin_ns = begin_ns;
  totals_.facts.warmup_s = static_cast<double>(begin_ns - start_ns_) * 1e-9;
  if (scenario_.length.duration) {
    totals_.facts.window.end_ns = begin_ns + scenario_.length.duration->count();
    control_.window_end.store(totals_.facts.window.end_ns);
  }
}

void Conductor::tick(std::int64_t now) {
  if (stage_ == Stage::warmup && !scenario_.warmup) sample_warmup(now);
  if (const std::int64_t boundary = collector_->next_boundary(control_); now >= boundary) {
    look_at_clock();
    collector_->collect(boundary, phase());
    collector_->checkpoint_if_due(boundary);
  }
  advance(now);
  if (stage_ != Stage::over) collector_->show_progress(now, phase(), stage_begin_ns_);
}

Phase Conductor::phase() const noexcept {
  if (stage_ == Stage::warmup) return Phase::warmup;
  return stage_ == Stage::measure ? Phase::measure : Phase::drain;
}

/// Within a second of the start: has the clock been set since the start was computed?
void Conductor::look_at_clock() {
  if (totals_.facts.start_at_ns && totals_.series.empty())
    totals_.facts.start_error_ns = start_ns_ + wall_offset_ns() - *totals_.facts.start_at_ns;
}

void Conductor::sample_warmup(std::int64_t now) {
  if (control_.window_begin.load() != RunControl::not_yet || now < start_ns_) return;
  const auto in_flight = lanes_.sum([](const WorkerCounters& c) { return c.in_flight.load(); });
  const auto ended = lanes_.sum([](const WorkerCounters& c) { return c.ok.load() + c.failed.load(); });
  warmup_rule_.sample(static_cast<double>(now - start_ns_) * 1e-9, in_flight, ended);
  if (warmup_rule_.state() == WarmupRule::State::running) return;
  totals_.facts.warmup_steady = warmup_rule_.state() == WarmupRule::State::steady;
  set_window(now + tick_every_ns);
}

void Conductor::advance(std::int64_t now) {
  if (stage_ == Stage::warmup && now >= control_.window_begin.load()) enter(Stage::measure, now);
  if (stage_ == Stage::measure && sending_is_over(now)) enter(Stage::drain, now);
  if (stage_ != Stage::drain) return;
  if (window_has_ended() || now >= drain_limit_ns_ || cut_at_once_) finish(now);
}

void Conductor::enter(Stage stage, std::int64_t now) {
  stage_ = stage;
  stage_begin_ns_ = now;
  if (stage == Stage::measure) {
    window_entered_ns_ = now;
    lanes_.mark_cpu();
  } else if (stage == Stage::drain) {
    const auto window_ns = static_cast<double>(now - window_entered_ns_);
    if (window_ns > 0) totals_.facts.max_thread_cpu_share = static_cast<double>(lanes_.most_cpu_ns()) / window_ns;
    const std::int64_t limit = scenario_.drain_max.count();
    drain_limit_ns_ = now + (totals_.facts.interrupted ? std::min(limit, interrupt_grace_ns) : limit);
  }
  listener_.on_event(totals_.facts, now, "phase", stage == Stage::measure ? "measure" : "drain");
}

bool Conductor::sending_is_over(std::int64_t now) const {
  if (now >= control_.window_end.load()) return true;
  if (!scenario_.length.requests) return false;
  return lanes_.all_of([](const WorkerCounters& c) { return c.quota_reached.load() != 0; });
}

bool Conductor::window_has_ended() const {
  return lanes_.all_of([this](const WorkerCounters& c) {
    const bool all_started = !is_open_loop(scenario_) || c.planned_through.load() >= control_.window_end.load() ||
                             c.quota_reached.load() != 0 || totals_.facts.interrupted;
    return all_started && c.measured_open.load(std::memory_order_acquire) == 0;
  });
}

/// A launcher that ends a shard soon ends it by force: what it has is written at once, without waiting for answers.
void Conductor::on_signal(std::int64_t now, int signal) {
  if (signal == SIGTERM && totals_.facts.shards > 1) cut_at_once_ = true;
  if (totals_.facts.interrupted) {
    cut_at_once_ = true;
    return;
  }
  totals_.facts.interrupted = true;
  lanes_.stop_sending();
  if (control_.window_begin.load() > now) set_window(now);
  const std::int64_t end = std::min(now, control_.window_end.load());
  control_.window_end.store(end);
  totals_.facts.window.end_ns = end;
  listener_.on_event(totals_.facts, now, "interrupt", "interrupted; waiting for the requests under way");
}

/// A window that was to hold a number of requests ends with them: at the next planned arrival, or with the last answer.
void Conductor::close_counted_window() {
  if (control_.window_end.load() != RunControl::not_yet) return;
  std::int64_t end = totals_.facts.window.begin_ns;
  lanes_.for_each([&](const WorkerCounters& c) {
    end = std::max(end, is_open_loop(scenario_) ? c.quota_reached.load() : c.last_measured_end.load());
  });
  totals_.facts.window.end_ns = end;
  control_.window_end.store(end);
}

void Conductor::finish(std::int64_t now) {
  lanes_.stop_sending();
  close_counted_window();
  const bool timed_out = !totals_.facts.interrupted && now >= drain_limit_ns_;
  lanes_.cut_all(timed_out ? Outcome::timeout_total : Outcome::cancelled,
                 timed_out ? "still open at the end of the drain" : "cut off by the interrupt");
  const std::int64_t give_up = monotonic_ns() + 2 * second_ns;
  while (lanes_.sum([](const WorkerCounters& c) { return c.in_flight.load(); }) > 0 && monotonic_ns() < give_up) {
    wait_for_signal(monotonic_ns() + 1'000'000);
  }
  totals_.facts.mono_end_ns = monotonic_ns();
  lanes_.for_each([this](const WorkerCounters& c) {
    totals_.facts.clock_error_ns = std::max(totals_.facts.clock_error_ns, c.clock_error_ns.load());
    totals_.facts.clock_steps = std::max(totals_.facts.clock_steps, c.clock_steps.load());
  });
  count_planned();
  look_at_clock();
  collector_->collect(totals_.facts.mono_end_ns, phase());
  listener_.on_event(totals_.facts, totals_.facts.mono_end_ns, "end", "run ended");
  stage_ = Stage::over;
}

/// Of this process's part of the plan.
void Conductor::count_planned() {
  if (!is_open_loop(scenario_)) return;
  const auto& open = std::get<OpenLoop>(scenario_.load);
  ArrivalSequence arrivals(open, scenario_.seed);
  const OpenDeal deal(open.arrivals, scenario_.seed, share_of_thread(0));
  const Window& window = totals_.facts.window;
  std::uint64_t index = 0;
  for (std::int64_t due = arrivals.next(); due < window.end_ns - start_ns_; due = arrivals.next(), ++index) {
    if (due >= window.begin_ns - start_ns_ && deal.shard_of(index) == totals_.facts.shard)
      ++totals_.facts.planned_in_window;
  }
}

}  // namespace loadgen
