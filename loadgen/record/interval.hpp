// What a worker records, and what everything downstream is made of: counters and distributions of the requests that
// ended in one interval (one second of a run, or, added up, the whole run). Adding intervals loses nothing.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "exporters/metrics/distribution.hpp"
#include "loadgen/drive/request_record.hpp"
#include "loadgen/plan/metric.hpp"
#include "loadgen/record/request_metrics.hpp"
#include "loadgen/record/slowest.hpp"

namespace loadgen {

/// The measured window on the monotonic clock; [begin, end).
struct Window {
  std::int64_t begin_ns = 0;
  std::int64_t end_ns = 0;
  double seconds() const noexcept { return static_cast<double>(end_ns - begin_ns) * 1e-9; }
};

/// One ended request without its token events, with its metrics: a line of requests.jsonl, a point of llm_request.
struct RequestRow {
  RequestFacts record;
  RequestMetrics metrics;
};

inline constexpr std::size_t phase_count = 3;
inline constexpr std::size_t token_source_count = 5;

/// Everything about one mix entry in one interval.
struct EntryTally {
  std::uint64_t started = 0;    ///< requests begun in the interval, all phases
  std::uint32_t in_flight = 0;  ///< under way at its end

  /// Ended requests by phase and outcome.
  std::array<std::array<std::uint64_t, outcome_count>, phase_count> ended{};

  /// Distributions over the measured population: requests whose intended start (closed loop: send) lies in the window,
  /// however late they ended. Timeouts are censored values of ttft and e2e.
  std::array<exporters::Distribution, metric_count> latency;

  // Measured population.
  std::uint64_t output_tokens = 0;  ///< of successes
  std::uint64_t input_tokens = 0;   ///< of successes whose server said it
  /// Of successes whose prompt was made up and whose server said its length: tokens asked for, and said.
  std::uint64_t requested_input_tokens = 0, told_input_tokens = 0;
  std::uint64_t wasted_tokens = 0;     ///< received by requests that failed
  std::uint64_t requested_tokens = 0;  ///< of successes
  std::uint64_t osl_mismatches = 0;    ///< successes whose output length is not the requested one
  std::uint64_t unstreamed = 0;
  std::uint64_t streamed = 0;  ///< successes asked for as a stream
  std::uint64_t token_events = 0;
  std::uint64_t coalesced_events = 0;
  std::uint64_t index_breaks = 0;  ///< TGI token events whose index did not follow the one before
  std::array<std::uint64_t, token_source_count> token_sources{};
  std::map<std::string, std::uint64_t> finish_reasons;
  std::map<std::string, std::uint64_t> error_messages;  ///< first line of each distinct error, at most 16 kinds

  // Over all phases, by arrival time in the window.
  std::uint64_t completed_in_window = 0;      ///< successes that ended in it
  std::uint64_t output_tokens_in_window = 0;  ///< tokens whose event was read in it (whole answers: share of overlap)
  double input_tokens_in_window = 0;          ///< input tokens of requests whose first token came in it
  std::uint64_t offered_in_window = 0;        ///< intended start in it, dropped ones included
  std::uint64_t achieved_in_window = 0;       ///< sent in it
  std::int64_t overlap_ns = 0;                ///< sum of the overlaps of [send, end] with it

  // Over the successes of all phases: tokens (input ones where the server said it), first send, last token.
  std::uint64_t all_output_tokens = 0;
  std::uint64_t all_input_tokens = 0;
  std::int64_t first_send_ns = 0;  ///< 0 = none
  std::int64_t last_token_ns = 0;

  std::uint64_t ended_in(Phase phase, Outcome outcome) const {
    return ended[static_cast<std::size_t>(phase)][static_cast<std::size_t>(outcome)];
  }
  exporters::Distribution& operator[](Metric m) { return latency[static_cast<std::size_t>(m)]; }
  const exporters::Distribution& operator[](Metric m) const { return latency[static_cast<std::size_t>(m)]; }

  void add(const EntryTally& other);
  void reset();
};

/// How the generator itself was doing.
struct GeneratorHealth {
  exporters::Distribution loop_lag;  ///< lateness of a 1 ms self-timer of each I/O thread, in the window
  exporters::Distribution
      recv_delay;  ///< from the kernel's receive stamp to the end of the read, per read, in the window
  exporters::Distribution write_delay;  ///< from the stamp of a send to the end of its write, per measured request
  std::uint64_t unstamped_reads = 0;    ///< reads in the window without a stamp of the kernel
  std::int64_t cpu_ns = 0;              ///< CPU time of the busiest I/O thread in the interval
  std::int64_t wall_ns = 0;             ///< of that thread, same interval
  std::uint32_t in_flight = 0;          ///< at the end of the interval
  std::uint32_t max_in_flight = 0;      ///< in the window; over several threads the sum of each one's maximum
  std::uint64_t sent = 0;               ///< requests sent in the interval, all phases
  std::uint64_t tokens = 0;             ///< tokens received in the interval, all phases

  /// Adds the distributions and the count that belongs to them; what the rest adds up to depends on what is added.
  void add_distributions(const GeneratorHealth& other);
};

/// One metric over all entries.
exporters::Distribution over_entries(const std::vector<EntryTally>& entries, Metric metric);

/// All entries over one stretch of time. Requests belong to the interval in which they ended: only then is their
/// outcome known. Steps of `begin_ns` are one second except for the last one.
struct Interval {
  std::int64_t begin_ns = 0;
  std::int64_t end_ns = 0;
  Phase phase = Phase::warmup;  ///< of the interval's end
  std::vector<EntryTally> entries;
  std::vector<RequestRow> rows;  ///< empty with RecordLevel::summary
  SlowestRequests slowest;       ///< of the measured requests that ended in it
  GeneratorHealth health;

  /// Adds another worker's view of the same stretch and takes over its rows.
  void add(Interval&& other);
  /// Empties it for reuse, keeping memory.
  void reset();
};

}  // namespace loadgen
