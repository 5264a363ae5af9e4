// Phases: connections open, then warm-up, the measured window, and the drain, in which the load goes on until every
// request of the window has ended.
#include "loadgen/conductor.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <future>

#include "loadgen/drive/clock.hpp"
#include "loadgen/plan/level_profile.hpp"
#include "loadgen/schedule/arrivals.hpp"
#include "loadgen/schedule/dealing.hpp"

namespace loadgen {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t tick_every_ns = 50'000'000;
constexpr int bookkeeping_niceness = 10;
constexpr std::int64_t checkpoint_every_ns = 10 * second_ns;
constexpr std::int64_t interrupt_grace_ns = 10 * second_ns;

/// Sleeps until `until_ns` or until SIGINT or SIGTERM arrives; which of them, or 0.
int wait_for_signal(std::int64_t until_ns) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  const std::int64_t left = std::max<std::int64_t>(0, until_ns - monotonic_ns());
  const timespec timeout{static_cast<time_t>(left / second_ns), static_cast<long>(left % second_ns)};
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

template <class Field>
auto Conductor::sum(Field field) const {
  auto total = field(lanes_.front().worker->counters()) * 0;
  for (const Lane& lane : lanes_) total += field(lane.worker->counters());
  return total;
}

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
  for (std::uint32_t i = 0; i < totals_.facts.threads; ++i) {
    Lane lane;
    lane.recorder = std::make_unique<Recorder>(scenario_, control_, options.level, options.slowest);
    lane.spare = lane.recorder->make_interval();
    lane.worker = std::make_unique<Worker>(plan_, control_, *lane.recorder,
                                           WorkerConfig{share_of_thread(i), totals_.facts.run_id}, addresses);
    lanes_.push_back(std::move(lane));
  }
  totals_.slowest = SlowestRequests(options.slowest);
  merged_ = lanes_.front().recorder->make_interval();
}

Share Conductor::share_of_thread(std::uint32_t thread) const noexcept {
  return {totals_.facts.shard, totals_.facts.shards, thread, totals_.facts.threads};
}

std::optional<RunTotals> Conductor::conduct() {
  open_connections();
  if (!wait_for_start()) return std::nullopt;
  start_load();
  while (stage_ != Stage::over) {
    const std::int64_t wake = std::min(next_boundary(), monotonic_ns() + tick_every_ns);
    if (const int signal = wait_for_signal(wake); signal != 0) on_signal(monotonic_ns(), signal);
    tick(monotonic_ns());
  }
  for (Lane& lane : lanes_) lane.worker->join();
  totals_.settle();
  return std::move(totals_);
}

void Conductor::open_connections() {
  std::vector<std::future<void>> ready;
  for (Lane& lane : lanes_) ready.push_back(lane.worker->start());
  for (auto& future : ready) future.wait();
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
  last_boundary_ns_ = stage_begin_ns_ = start_ns_;
  if (scenario_.warmup) set_window(start_ns_ + scenario_.warmup->count());
  for (Lane& lane : lanes_) lane.worker->begin(start_ns_);
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
  if (now >= next_boundary()) collect(next_boundary());
  advance(now);
  if (stage_ != Stage::over) show_progress(now);
}

void Conductor::sample_warmup(std::int64_t now) {
  if (control_.window_begin.load() != RunControl::not_yet || now < start_ns_) return;
  const auto in_flight = sum([](const WorkerCounters& c) { return c.in_flight.load(); });
  const auto ended = sum([](const WorkerCounters& c) { return c.ok.load() + c.failed.load(); });
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
    for (Lane& lane : lanes_) lane.cpu_at_window = lane.worker->cpu_ns();
  } else if (stage == Stage::drain) {
    measure_cpu_share(now);
    const std::int64_t limit = scenario_.drain_max.count();
    drain_limit_ns_ = now + (totals_.facts.interrupted ? std::min(limit, interrupt_grace_ns) : limit);
  }
  listener_.on_event(totals_.facts, now, "phase", stage == Stage::measure ? "measure" : "drain");
}

void Conductor::measure_cpu_share(std::int64_t now) {
  const auto wall = static_cast<double>(now - window_entered_ns_);
  for (const Lane& lane : lanes_) {
    const auto cpu = static_cast<double>(lane.worker->cpu_ns() - lane.cpu_at_window);
    if (wall > 0) totals_.facts.max_thread_cpu_share = std::max(totals_.facts.max_thread_cpu_share, cpu / wall);
  }
}

bool Conductor::sending_is_over(std::int64_t now) const {
  if (now >= control_.window_end.load()) return true;
  if (!scenario_.length.requests) return false;
  return std::all_of(lanes_.begin(), lanes_.end(),
                     [](const Lane& lane) { return lane.worker->counters().quota_reached.load() != 0; });
}

bool Conductor::window_has_ended() const {
  return std::all_of(lanes_.begin(), lanes_.end(), [this](const Lane& lane) {
    const WorkerCounters& c = lane.worker->counters();
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
  for (Lane& lane : lanes_) lane.worker->stop_sending();
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
  for (const Lane& lane : lanes_) {
    const WorkerCounters& c = lane.worker->counters();
    end = std::max(end, is_open_loop(scenario_) ? c.quota_reached.load() : c.last_measured_end.load());
  }
  totals_.facts.window.end_ns = end;
  control_.window_end.store(end);
}

void Conductor::finish(std::int64_t now) {
  for (Lane& lane : lanes_) lane.worker->stop_sending();
  close_counted_window();
  const bool timed_out = !totals_.facts.interrupted && now >= drain_limit_ns_;
  for (Lane& lane : lanes_) {
    lane.worker->cut_all(timed_out ? Outcome::timeout_total : Outcome::cancelled,
                         timed_out ? "still open at the end of the drain" : "cut off by the interrupt");
  }
  const std::int64_t give_up = monotonic_ns() + 2 * second_ns;
  while (sum([](const WorkerCounters& c) { return c.in_flight.load(); }) > 0 && monotonic_ns() < give_up) {
    wait_for_signal(monotonic_ns() + 1'000'000);
  }
  totals_.facts.mono_end_ns = monotonic_ns();
  for (const Lane& lane : lanes_) {
    const WorkerCounters& c = lane.worker->counters();
    totals_.facts.clock_error_ns = std::max(totals_.facts.clock_error_ns, c.clock_error_ns.load());
    totals_.facts.clock_steps = std::max(totals_.facts.clock_steps, c.clock_steps.load());
  }
  count_planned();
  collect(totals_.facts.mono_end_ns);
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

// --- once a second
// ----------------------------------------------------------------------------------------------------

/// The next whole second, or the edge of the window if that comes first: an interval never straddles one.
std::int64_t Conductor::next_boundary() const {
  std::int64_t next = last_boundary_ns_ + second_ns;
  for (const std::int64_t edge : {control_.window_begin.load(), control_.window_end.load()}) {
    if (edge > last_boundary_ns_) next = std::min(next, edge);
  }
  return next;
}

std::unique_ptr<Interval> Conductor::take(Lane& lane, std::int64_t boundary_ns) {
  auto taken = std::make_shared<std::promise<std::unique_ptr<Interval>>>();
  auto future = taken->get_future();
  auto spare = std::make_shared<std::unique_ptr<Interval>>(std::move(lane.spare));
  lane.worker->post(
      [taken, spare, recorder = lane.recorder.get()] { taken->set_value(recorder->swap(std::move(*spare))); });
  auto interval = future.get();
  const std::int64_t cpu = lane.worker->cpu_ns();
  const WorkerCounters& counters = lane.worker->counters();
  interval->health.cpu_ns = cpu - lane.cpu_at_collect;
  interval->health.wall_ns = boundary_ns - last_boundary_ns_;
  interval->health.in_flight = counters.in_flight.load();
  interval->health.max_in_flight = counters.max_in_flight_in_window.load();
  lane.cpu_at_collect = cpu;
  return interval;
}

void Conductor::collect(std::int64_t boundary_ns) {
  // Within a second of the start: has the clock been set since the start was computed?
  if (totals_.facts.start_at_ns && totals_.series.empty())
    totals_.facts.start_error_ns = start_ns_ + wall_offset_ns() - *totals_.facts.start_at_ns;
  merged_->reset();
  for (Lane& lane : lanes_) {
    auto interval = take(lane, boundary_ns);
    merged_->add(std::move(*interval));
    interval->reset();
    lane.spare = std::move(interval);
  }
  const std::uint64_t sent = sum([](const WorkerCounters& c) { return c.sent.load(); });
  const std::uint64_t tokens = sum([](const WorkerCounters& c) { return c.tokens.load(); });
  merged_->begin_ns = last_boundary_ns_;
  merged_->end_ns = boundary_ns;
  merged_->phase = stage_ == Stage::warmup ? Phase::warmup : stage_ == Stage::measure ? Phase::measure : Phase::drain;
  merged_->health.sent = sent - sent_at_collect_;
  merged_->health.tokens = tokens - tokens_at_collect_;
  sent_at_collect_ = sent;
  tokens_at_collect_ = tokens;
  last_boundary_ns_ = boundary_ns;
  totals_.add(*merged_);
  totals_.slowest.take(merged_->slowest);
  listener_.on_interval(totals_.facts, *merged_);
  if (next_checkpoint_ns_ == 0) next_checkpoint_ns_ = start_ns_ + checkpoint_every_ns;
  // A shard that is lost leaves a hole in a run of others; a run of one process that is lost is run again.
  if (totals_.facts.shards > 1 && boundary_ns >= next_checkpoint_ns_ && stage_ != Stage::over) {
    totals_.facts.mono_end_ns = boundary_ns;
    listener_.on_checkpoint(totals_);
    next_checkpoint_ns_ = boundary_ns + checkpoint_every_ns;
  }

  const auto e2e = over_entries(totals_.entries, Metric::e2e);
  const auto ttft = over_entries(totals_.entries, Metric::ttft);
  snapshot_.e2e_p50_ms = e2e.percentile_ms(0.5);
  snapshot_.e2e_p99_ms = e2e.percentile_ms(0.99);
  snapshot_.ttft_p50_ms = ttft.percentile_ms(0.5);
  snapshot_.ttft_p99_ms = ttft.percentile_ms(0.99);
  const double length_s = static_cast<double>(merged_->end_ns - merged_->begin_ns) * 1e-9;
  if (length_s <= 0) return;
  snapshot_.achieved_rate = static_cast<double>(merged_->health.sent) / length_s;
  snapshot_.tokens_rate = static_cast<double>(merged_->health.tokens) / length_s;
  const auto* open = std::get_if<OpenLoop>(&scenario_.load);
  snapshot_.offered_rate = open == nullptr ? snapshot_.achieved_rate
                           : open->stages.empty()
                               ? open->rate / totals_.facts.shards
                               : LevelProfile(open->stages).level_at(boundary_ns - start_ns_) / totals_.facts.shards;
}

void Conductor::show_progress(std::int64_t now) {
  snapshot_.phase = stage_ == Stage::warmup ? Phase::warmup : stage_ == Stage::measure ? Phase::measure : Phase::drain;
  snapshot_.elapsed_s = std::max(0.0, static_cast<double>(now - start_ns_) * 1e-9);
  snapshot_.phase_elapsed_s = std::max(0.0, static_cast<double>(now - stage_begin_ns_) * 1e-9);
  const auto seconds = [](const std::optional<nanoseconds>& d) -> std::optional<double> {
    return d ? std::optional(static_cast<double>(d->count()) * 1e-9) : std::nullopt;
  };
  snapshot_.phase_total_s = stage_ == Stage::warmup    ? seconds(scenario_.warmup)
                            : stage_ == Stage::measure ? seconds(scenario_.length.duration)
                                                       : std::nullopt;
  snapshot_.in_flight = sum([](const WorkerCounters& c) { return c.in_flight.load(); });
  snapshot_.ok = sum([](const WorkerCounters& c) { return c.ok.load(); });
  snapshot_.failed = sum([](const WorkerCounters& c) { return c.failed.load(); });
  snapshot_.planned_requests = scenario_.length.requests;
  listener_.on_progress(snapshot_);
}

}  // namespace loadgen
