// The loop of an engine thread with the clock taken out: time jumps to whatever comes next.
#include "refserver/simulate/simulation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "refserver/schedule/device.hpp"

namespace refserver {
namespace {

constexpr TimePoint kStart{std::chrono::hours(1)};

class Run {
 public:
  explicit Run(const SimulationSettings& settings)
      : settings_(settings),
        made_(std::move(make_engines({engine_of(settings)}, settings.stalls).front())),
        scheduler_(settings.scheduler, *made_.vocabulary),
        device_({{&scheduler_, made_.engine.get()}}),
        arrivals_(settings.trace.times.empty() ? make_arrivals(settings.arrivals, kStart)
                                               : make_arrivals(settings.trace.times, kStart)),
        last_(settings.requests) {
    result_.wait.resize(settings.requests);
    result_.ttft.resize(settings.requests);
    result_.e2e.resize(settings.requests);
  }

  SimulationResult run() {
    TimePoint now = kStart;
    std::optional<TimePoint> wakeup;
    while (true) {
      const auto arrival = added_ < settings_.requests ? arrivals_->next() : std::nullopt;
      if (!arrival && !wakeup) break;
      const TimePoint next = arrival && (!wakeup || *arrival < *wakeup) ? *arrival : *wakeup;
      now = std::max(now, next);
      add_until(now);
      events_.clear();
      wakeup = device_.advance(now, events_);
      for (const TokenEvent& event : events_.tokens) on_token(event);
      look_at_step();
    }
    return finish(now);
  }

 private:
  static RequestSize size_of(const SimulationSettings& settings, std::uint64_t index) {
    return settings.trace.sizes.empty() ? settings.size : settings.trace.sizes[index];
  }

  /// Answers end where the trace says, which only the engine knows.
  static EngineSettings engine_of(const SimulationSettings& settings) {
    EngineSettings engine = settings.engine;
    engine.answer_length = [&settings](const RequestSpec& spec) { return size_of(settings, spec.id).answer; };
    return engine;
  }

  void add_until(TimePoint now) {
    while (added_ < settings_.requests) {
      const auto due = arrivals_->next();
      if (!due || *due > now) return;
      arrivals_->pop();
      add(*due, now);
    }
  }

  void add(TimePoint received, TimePoint now) {
    const RequestSize of = size_of(settings_, added_);
    RequestSpec spec;
    spec.id = added_++;
    spec.received = received;
    last_[spec.id] = received;
    // Prompts that share no block.
    spec.prompt.assign(of.prompt, 1);
    spec.prompt[0] = static_cast<TokenId>(spec.id);
    spec.max_new_tokens = std::max(of.answer, of.allowed);
    if (const auto refusal = device_.add(0, std::move(spec), now)) {
      throw std::invalid_argument(fmt::format("request {} of {} prompt and {} answer tokens was refused: {}", added_,
                                              of.prompt, std::max(of.answer, of.allowed), static_cast<int>(*refusal)));
    }
  }

  void on_token(const TokenEvent& event) {
    const std::uint64_t id = event.request;
    const std::int64_t since = (event.due - last_[id]).count();
    if (event.index == 1) {
      result_.wait[id] = (event.scheduled - last_[id]).count();
      result_.ttft[id] = since;
    } else {
      result_.gap.push_back(since);
    }
    result_.e2e[id] += since;
    last_[id] = event.due;
    if (event.finish) arrivals_->on_finished(event.due);
  }

  void look_at_step() {
    const StepStats& step = scheduler_.last_step();
    if (scheduler_.counters().steps == totals().steps) return;
    totals().steps = scheduler_.counters().steps;
    const auto length = static_cast<double>((step.end - step.start).count());
    totals().rows += step.rows;
    totals().tokens += step.tokens;
    totals().busy_ns += length;
    totals().row_ns += length * step.rows;
    const BlockPool& pool = scheduler_.pool();
    if (pool.used_blocks() == 0) return;
    totals().most_blocks = std::max(totals().most_blocks, pool.used_blocks());
    totals().utilisation +=
        static_cast<double>(pool.written_slots()) / (static_cast<double>(pool.used_blocks()) * pool.block_size());
    ++totals().kv_steps;
  }

  StepTotals& totals() { return result_.steps; }

  SimulationResult finish(TimePoint now) {
    result_.counters = scheduler_.counters();
    result_.block_size = scheduler_.pool().block_size();
    result_.duration = now - kStart;
    return std::move(result_);
  }

  const SimulationSettings& settings_;
  MadeEngine made_;
  Scheduler scheduler_;
  Device device_;
  std::unique_ptr<Arrivals> arrivals_;
  std::vector<TimePoint> last_;  ///< of each request, the time of its latest token or, before that, its arrival
  std::uint64_t added_ = 0;
  StepEvents events_;
  SimulationResult result_;
};

}  // namespace

double SimulationResult::busy_share() const {
  return duration.count() > 0 ? steps.busy_ns / static_cast<double>(duration.count()) : 0;
}

double SimulationResult::mean_rows() const {
  if (steps.steps == 0) return 0;
  return steps.busy_ns > 0 ? steps.row_ns / steps.busy_ns
                           : static_cast<double>(steps.rows) / static_cast<double>(steps.steps);
}

std::optional<double> SimulationResult::kv_utilisation() const {
  if (steps.kv_steps == 0) return std::nullopt;
  return steps.utilisation / static_cast<double>(steps.kv_steps);
}

double SimulationResult::requests_per_s() const {
  return duration.count() > 0 ? static_cast<double>(wait.size()) * 1e9 / static_cast<double>(duration.count()) : 0;
}

double SimulationResult::tokens_per_s() const {
  return duration.count() > 0
             ? static_cast<double>(counters.generated_tokens) * 1e9 / static_cast<double>(duration.count())
             : 0;
}

SimulationResult simulate(const SimulationSettings& settings) {
  if (!settings.trace.times.empty() && settings.trace.times.size() != settings.requests) {
    throw std::invalid_argument("as many requests as the trace has");
  }
  return Run(settings).run();
}

}  // namespace refserver
