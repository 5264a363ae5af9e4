// Test support: a trace of arrivals and cancellations through a scheduler and the fake engine, in virtual time, with a
// look at everything after every plan and every commit.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "refserver/schedule/scheduler.hpp"
#include "refserver/schedule/tests/fake_engine.hpp"

namespace refserver {

struct Arrival {
  std::uint32_t at_us = 0;
  std::uint32_t family = 0;         ///< prompts of one family begin alike
  std::uint32_t shared_tokens = 0;  ///< for so many tokens
  std::uint32_t own_tokens = 1;
  std::uint32_t max_new_tokens = 1;
  std::uint32_t priority = 0;
  std::uint32_t tenant = 0;
  std::uint32_t salt = 0;
  bool reads_cache = true;
  bool ignores_eos = false;
  std::uint32_t min_new_tokens = 0;
  std::optional<TokenId> stop_token{};
  std::optional<std::uint32_t> cancel_after_us{};
  std::optional<std::uint32_t> deadline_after_us{};
  std::optional<std::uint32_t> first_due_after_us{};
};

struct Trace {
  SchedulerConfig config;
  FakeOptions engine{};
  std::vector<Arrival> arrivals;  ///< in any order; arrival i has the id i + 1
};

/// The prompt of arrival `id`, and the request it makes.
std::vector<TokenId> prompt_of(const Arrival& arrival, RequestId id);
RequestSpec spec_of(const Arrival& arrival, RequestId id);
/// What the request answers when nothing else ever runs: the rules again, written as plainly as possible.
std::vector<TokenId> answer_alone(const Arrival& arrival, RequestId id, const SchedulerConfig& config);

/// What became of one request.
struct Outcome {
  std::optional<Refusal> refusal;
  std::vector<TokenId> tokens;
  std::optional<FinishReason> finish;
  std::optional<DropReason> dropped;
  std::optional<TimePoint> arrived;
  std::optional<TimePoint> cancelled;
  std::optional<TimePoint> scheduled;
  std::optional<TimePoint> ended;  ///< finished or dropped
  std::uint32_t preemptions = 0;
  std::uint32_t cached_tokens = 0;
  bool is_over() const { return refusal || finish || dropped || cancelled; }
};

class World {
 public:
  using Hook = std::function<void(World&)>;

  explicit World(Trace trace);

  Hook after_plan = nullptr;    ///< the plan is not empty and not yet run; `events` are the plan's
  Hook after_commit = nullptr;  ///< `events` are the commit's
  Hook after_cancel = nullptr;

  /// Until every request has ended, or `most_steps` were made. False if steps ran out or the scheduler got stuck.
  bool run(std::size_t most_steps = 200'000);

  const Trace trace;
  TestVocabulary vocabulary;
  Scheduler scheduler;
  FakeEngine engine;
  TimePoint now{};
  const StepPlan* plan = nullptr;
  StepEvents events;
  std::map<RequestId, Outcome> outcomes;
  std::vector<RequestId> admissions;  ///< in order, first admissions only
  std::uint64_t overtakings = 0;      ///< first admissions after which one that arrived earlier had yet to get its own
  std::size_t steps = 0;
  std::string fault;  ///< the first thing the world itself found wrong

 private:
  struct Command {
    TimePoint at;
    RequestId id = 0;
    bool is_cancel = false;
  };

  void deliver(TimePoint until);
  void add(RequestId id);
  void cancel(RequestId id);
  void step();
  void note_admissions();
  void note_events();

  std::vector<Command> commands_;  ///< by time
  std::size_t next_command_ = 0;
  std::map<std::uint64_t, RequestId> unscheduled_;  ///< by order of arrival; those that ended are dropped in passing
  StepResult result_;
};

}  // namespace refserver
