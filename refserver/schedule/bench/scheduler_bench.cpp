// What planning and committing cost the engine thread per row, with everything else an engine does taken away.
#include "refserver/schedule/scheduler.hpp"

#include <benchmark/benchmark.h>

#include <cstdlib>

namespace refserver {
namespace {

class NoText final : public TokenText {
 public:
  std::string push(TokenId /*id*/) override { return " t"; }
  std::string finish() override { return ""; }
};

class NoVocabulary final : public Vocabulary {
 public:
  std::unique_ptr<TokenText> start_text() const override { return std::make_unique<NoText>(); }
  std::string text(TokenId /*id*/) const override { return " t"; }
  bool is_special(TokenId /*id*/) const override { return false; }
  bool is_eos(TokenId /*id*/) const override { return false; }
};

SchedulerConfig config_for(std::uint32_t sequences) {
  SchedulerConfig config;
  config.pool = {"m", sequences * 300 + 1, 16};
  config.max_batch_prefill_tokens = 65536;
  config.max_batch_size = sequences;
  return config;
}

RequestSpec spec(RequestId id) {
  RequestSpec spec;
  spec.id = id;
  spec.prompt.assign(40, static_cast<TokenId>(id));
  spec.max_new_tokens = 4000;
  return spec;
}

/// `range(0)` sequences, all of them in every step.
void DecodeStep(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  const NoVocabulary vocabulary;
  std::uint64_t rows = 0;
  while (state.KeepRunningBatch(1000 * count)) {
    state.PauseTiming();
    auto owner = std::make_unique<Scheduler>(config_for(count), vocabulary);
    Scheduler& scheduler = *owner;
    for (RequestId id = 1; id <= count; ++id) scheduler.add(spec(id), {});
    StepEvents events;
    StepResult result;
    TimePoint now{};
    state.ResumeTiming();
    for (int step = 0; step < 1000; ++step) {
      events.clear();
      const StepPlan& plan = scheduler.plan(now, events);
      rows += plan.rows.size();
      result.rows.assign(plan.rows.size(), {});
      now += std::chrono::milliseconds(1);
      scheduler.commit(result, now, events);
    }
    state.PauseTiming();  // giving the memory back is not part of the question
    owner.reset();
    state.ResumeTiming();
  }
  if (rows < static_cast<std::uint64_t>(state.iterations()) * 9 / 10) std::abort();
}
BENCHMARK(DecodeStep)->Arg(16)->Arg(256)->Arg(1024)->Unit(benchmark::kNanosecond);

/// `range(0)` sequences of which ten are due in each step.
void ScriptedStep(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  const NoVocabulary vocabulary;
  constexpr int kSteps = 1000;
  std::uint64_t rows = 0;
  while (state.KeepRunningBatch(10 * kSteps)) {
    state.PauseTiming();
    auto owner = std::make_unique<Scheduler>(config_for(count), vocabulary);
    Scheduler& scheduler = *owner;
    for (RequestId id = 1; id <= count; ++id) {
      RequestSpec of = spec(id);
      of.not_before = TimePoint(std::chrono::milliseconds(1 + id / 10));
      scheduler.add(std::move(of), {});
    }
    StepEvents events;
    StepResult result;
    scheduler.plan({}, events);
    state.ResumeTiming();
    for (int step = 1; step <= kSteps; ++step) {
      events.clear();
      const TimePoint now{std::chrono::milliseconds(step)};
      const StepPlan& plan = scheduler.plan(now, events);
      if (plan.rows.empty()) continue;
      rows += plan.rows.size();
      result.rows.assign(plan.rows.size(), {});
      for (RowResult& row : result.rows) row.not_before = now + std::chrono::milliseconds(count / 10);
      scheduler.commit(result, now, events);
    }
    state.PauseTiming();  // giving the memory back is not part of the question
    owner.reset();
    state.ResumeTiming();
  }
  if (rows < static_cast<std::uint64_t>(state.iterations()) * 9 / 10) std::abort();
}
BENCHMARK(ScriptedStep)->Arg(1000)->Arg(4000)->Arg(8000)->Unit(benchmark::kNanosecond);

}  // namespace
}  // namespace refserver
