// The conductor of a run: owns the workers and their recorders, decides when each phase begins and ends, and collects
// what was recorded once a second. One thread; the workers never wait for it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loadgen/drive/worker.hpp"
#include "loadgen/export/progress.hpp"
#include "loadgen/plan/plan.hpp"
#include "loadgen/plan/shard.hpp"
#include "loadgen/record/recorder.hpp"
#include "loadgen/record/run_totals.hpp"
#include "loadgen/schedule/warmup_rule.hpp"

namespace loadgen {

/// Told what happens, on the conductor's thread.
class RunListener {
 public:
  virtual ~RunListener() = default;
  virtual void on_interval(const RunFacts& facts, const Interval& interval) = 0;
  virtual void on_event(const RunFacts& facts, std::int64_t at_ns, const std::string& kind,
                        const std::string& text) = 0;
  virtual void on_progress(const ProgressSnapshot& snapshot) = 0;
  /// Every ten seconds: what would be left if the process were killed now.
  virtual void on_checkpoint(const RunTotals& totals) = 0;
};

struct ConductorOptions {
  RecordLevel level = RecordLevel::all;
  std::string run_id;
  Shard shard;                              ///< which part of the plan is this process's
  std::uint32_t slowest = 0;                ///< how many of the slowest requests are kept whole
  std::optional<std::int64_t> start_at_ns;  ///< Unix time at which request time 0 is; absent: as soon as possible
};

class Conductor {
 public:
  /// References outlive the conductor.
  Conductor(const Plan& plan, const std::vector<Address>& addresses, const ConductorOptions& options,
            RunListener& listener);

  /// Connects, waits for the common start, loads, measures, drains. Returns when every request has ended; nothing when
  /// the start was over already, or when a signal came before it: then nothing was sent. SIGINT and SIGTERM (which must
  /// be blocked in the whole process beforehand) end the window at once; a second one also cuts what is under way.
  std::optional<RunTotals> conduct();

 private:
  struct Lane {
    std::unique_ptr<Recorder> recorder;
    std::unique_ptr<Worker> worker;
    std::unique_ptr<Interval> spare;
    std::int64_t cpu_at_collect = 0;
    std::int64_t cpu_at_window = 0;
  };
  enum class Stage : std::uint8_t { warmup, measure, drain, over };

  void open_connections();
  bool wait_for_start();
  void start_load();
  Share share_of_thread(std::uint32_t thread) const noexcept;
  void set_window(std::int64_t begin_ns);
  void tick(std::int64_t now);
  void advance(std::int64_t now);
  void enter(Stage stage, std::int64_t now);
  void sample_warmup(std::int64_t now);
  void on_signal(std::int64_t now, int signal);
  bool sending_is_over(std::int64_t now) const;
  bool window_has_ended() const;
  void close_counted_window();
  void finish(std::int64_t now);
  void collect(std::int64_t boundary_ns);
  std::unique_ptr<Interval> take(Lane& lane, std::int64_t boundary_ns);
  void show_progress(std::int64_t now);
  std::int64_t next_boundary() const;
  void measure_cpu_share(std::int64_t now);
  void count_planned();
  template <class Field>
  auto sum(Field field) const;

  const Plan& plan_;
  const Scenario& scenario_;
  RunListener& listener_;
  RunControl control_;
  std::vector<Lane> lanes_;
  RunTotals totals_;
  std::unique_ptr<Interval> merged_;
  WarmupRule warmup_rule_;
  Stage stage_ = Stage::warmup;
  std::int64_t start_ns_ = 0;
  std::int64_t last_boundary_ns_ = 0;
  std::int64_t stage_begin_ns_ = 0;
  std::int64_t window_entered_ns_ = 0;
  std::int64_t drain_limit_ns_ = 0;
  bool cut_at_once_ = false;
  std::int64_t next_checkpoint_ns_ = 0;
  std::uint64_t sent_at_collect_ = 0, tokens_at_collect_ = 0;
  ProgressSnapshot snapshot_;
};

}  // namespace loadgen
