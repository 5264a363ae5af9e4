// The whole run, added up from its intervals: what summarize works on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loadgen/record/interval.hpp"

namespace loadgen {

/// One line of the run's time series (a second, except for the last one).
struct SeriesPoint {
  std::int64_t begin_ns = 0;  ///< monotonic
  double at_s = 0;  ///< middle of the interval, from the start of the window (warm-up is negative); set by settle()
  double length_s = 1;
  Phase phase = Phase::measure;
  std::uint64_t sent = 0, ok = 0, failed = 0, tokens = 0;  ///< in this interval, all entries
  std::uint32_t in_flight = 0;
  /// Milliseconds over the measured requests that ended in it; absent where there is none.
  std::optional<double> ttft_p50, ttft_p99, tpot_p50, tpot_p99, e2e_p50, e2e_p99;
};

/// Facts of the run that are not sums.
struct RunFacts {
  std::string run_id;              ///< e.g. 20261121T031500Z-1a2b
  std::int64_t wall_start_ms = 0;  ///< Unix time of mono_start_ns, for labels only
  std::int64_t mono_start_ns = 0;  ///< start of warm-up
  Window window;
  std::int64_t mono_end_ns = 0;  ///< everything has ended
  std::uint32_t threads = 1;
  std::uint32_t shard = 0, shards = 1;      ///< which process of how many
  std::string shard_source;                 ///< how it knew; empty: a run of one process
  std::string shard_attempt;                ///< as the launcher counts, if it does
  std::optional<std::int64_t> start_at_ns;  ///< common start asked for, Unix time
  std::int64_t start_error_ns = 0;          ///< where request time 0 was in real time, less `start_at_ns`
  bool interrupted = false;                 ///< stopped by a signal: the result is partial
  bool warmup_steady = true;                ///< false: warm-up by rule hit its limit before the load was steady
  double warmup_s = 0;
  double max_thread_cpu_share = 0;      ///< busiest I/O thread, CPU / wall over the window
  std::int64_t clock_error_ns = 0;      ///< the most a kernel stamp is off by being converted to the monotonic clock
  std::uint32_t clock_steps = 0;        ///< how often the real-time clock was set during the run
  std::uint64_t planned_in_window = 0;  ///< open loop: arrivals the plan has in the window
  std::string server_version;           ///< from the server, if it said so
};

struct RunTotals {
  RunFacts facts;
  std::vector<EntryTally> entries;  ///< by position in the mix
  GeneratorHealth health;
  std::vector<SeriesPoint> series;
  SlowestRequests slowest;

  /// Adds one interval and its line of the series.
  void add(const Interval& interval);

  /// Once the window is known: places the series relative to it.
  void settle();
};

}  // namespace loadgen
