// The conductor of a run: owns the workers and their recorders, decides when each phase begins and ends, and has what
// was recorded collected once a second. One thread; the workers never wait for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loadgen/collector.hpp"
#include "loadgen/drive/worker.hpp"
#include "loadgen/lanes.hpp"
#include "loadgen/plan/plan.hpp"
#include "loadgen/plan/shard.hpp"
#include "loadgen/record/recorder.hpp"
#include "loadgen/record/run_totals.hpp"
#include "loadgen/run_listener.hpp"
#include "loadgen/schedule/warmup_rule.hpp"

namespace loadgen {

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
  /// the start was over already, or when a signal came before it: then nothing was sent. The stop_signals() (which
  /// must be blocked in the whole process beforehand) end the window at once; a second one also cuts what is under way.
  std::optional<RunTotals> conduct();

 private:
  enum class Stage : std::uint8_t { warmup, measure, drain, over };

  void open_connections();
  bool wait_for_start();
  void start_load();
  void add_lanes(const ConductorOptions& options, const std::vector<Address>& addresses);
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
  Phase phase() const noexcept;
  void look_at_clock();
  void count_planned();

  const Plan& plan_;
  const Scenario& scenario_;
  RunListener& listener_;
  RunControl control_;
  Lanes lanes_;
  RunTotals totals_;
  std::optional<Collector> collector_;  ///< as soon as there are lanes
  WarmupRule warmup_rule_;
  Stage stage_ = Stage::warmup;
  std::int64_t start_ns_ = 0;
  std::int64_t stage_begin_ns_ = 0;
  std::int64_t window_entered_ns_ = 0;
  std::int64_t drain_limit_ns_ = 0;
  bool cut_at_once_ = false;
};

}  // namespace loadgen
