// The result of a run as numbers that can be printed, gated and compared: what summary.json holds. Pure values.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "loadgen/exit_code.hpp"
#include "loadgen/plan/scenario.hpp"
#include "loadgen/record/run_totals.hpp"
#include "loadgen/summarize/observed.hpp"

namespace loadgen {

/// One metric in milliseconds. A value that does not exist, or whose percentile has too few samples, is absent.
struct MetricSummary {
  std::uint64_t count = 0;
  std::uint64_t censored = 0;  ///< requests cut by a timeout: they rank above every value
  std::optional<double> mean, std, min, p50, p90, p95, p99, p99_9, max;
  std::optional<double> p99_upper;  ///< 99 % upper confidence bound of p99 (MLPerf early-stopping estimate)
};

struct Counts {
  std::uint64_t sent = 0;  ///< all phases
  std::uint64_t warmup = 0, measured = 0, drain = 0;
  std::uint64_t ok = 0, failed = 0, cancelled = 0;  ///< measured population
  std::map<std::string, std::uint64_t> outcomes;    ///< measured population, by outcome, zero ones left out
  std::map<std::string, std::uint64_t> finish_reasons;
  std::map<std::string, std::uint64_t> errors;  ///< distinct error texts with counts
  std::uint64_t output_tokens = 0, input_tokens = 0, wasted_tokens = 0, osl_mismatches = 0;
  std::uint64_t requested_tokens = 0;  ///< by the successes
  /// Of successes whose prompt was made up and whose server said its length: asked for, and said.
  std::uint64_t requested_input_tokens = 0, told_input_tokens = 0;
  std::uint64_t index_breaks = 0;  ///< TGI token events whose index did not follow the one before
};

struct Rates {
  std::optional<double> error_rate;  ///< failed / (ok + failed); absent without requests
  std::optional<double>
      osl_mismatch;  ///< successes whose output has another length than asked for / successes; absent without
  double request_throughput = 0, output_token_throughput = 0, input_token_throughput = 0, total_token_throughput = 0;
  double offered_rate = 0, achieved_rate = 0;
  std::optional<double> planned_rate;  ///< open loop
  double concurrency_mean = 0;
  std::uint32_t concurrency_max = 0;
  double vllm_output_token_throughput = 0;  ///< over all requests, ramp and drain included
};

/// The whole run or one mix entry.
struct Slice {
  Counts counts;
  Rates rates;
  std::array<MetricSummary, metric_count> metrics;
  std::map<std::string, double> token_source_shares;
};

/// How the generator itself did, in the window.
struct GeneratorSummary {
  MetricSummary loop_lag;     ///< lateness of a 1 ms timer of each I/O thread
  MetricSummary recv_delay;   ///< from the kernel's receive stamp to the end of the read
  MetricSummary write_delay;  ///< from the stamp of a send to the end of its write
  std::uint64_t reads = 0;
  std::optional<double> kernel_stamped_share;  ///< of the reads; absent without reads
};

enum class Health : std::uint8_t { valid, suspect, invalid };

/// One row of the client-health table.
struct HealthCheck {
  std::string
      name;  ///< lateness_p99, offered_rate, dropped, client_resource, io_cpu, loop_lag_p99, recv_delay_p99, ...
  std::string measured;  ///< with unit, for people; "not measured" where it could not be
  std::string limits;    ///< what VALID and SUSPECT ask for
  std::optional<double> value;
  Health status = Health::valid;
};

struct Validity {
  Health status = Health::valid;
  std::vector<std::string> reasons;  ///< one sentence per check that is not valid: what, how much, what to do
  std::vector<HealthCheck> checks;
};

struct GateResult {
  enum class Status : std::uint8_t { pass, fail, inconclusive } status = Status::inconclusive;
  std::string text;             ///< the gate as written
  std::optional<double> value;  ///< in the gate's unit
  std::string note;             ///< why inconclusive; warnings (send-anchored gate in open loop)
  std::string unit = {};        ///< of `value`: ms, MiB, ...; empty for counts, rates and shares
};

enum class Verdict : std::uint8_t { pass, fail, inconclusive, none };

/// How many points of this run a database says it holds, asked at the end, beside what was offered to it.
struct DatabaseCount {
  struct Row {
    std::uint64_t offered = 0, found = 0;
  };
  std::map<std::string, Row> measurements;
  std::uint64_t uncounted = 0;  ///< offered in measurements that have no field in each of their points
  std::string not_counted;      ///< why it could not be asked; then there are no measurements

  std::uint64_t found() const {
    std::uint64_t sum = 0;
    for (const auto& [name, row] : measurements) sum += row.found;
    return sum;
  }
};

/// What an exporter did with what it was given; offered = stored + rejected + spilled + dropped.
struct ExportAccount {
  std::uint64_t offered = 0, stored = 0, rejected = 0, spilled = 0, dropped = 0;
  std::string spill_file;  ///< empty if nothing was spilled
  std::string first_error;
  bool is_view = false;                        ///< only watched while the run lasts: no result misses what it lost
  std::optional<DatabaseCount> in_database{};  ///< of a database
};

struct HostFacts {
  std::string cpu, kernel, governor;
  unsigned cores = 0;
};

/// One percentile of a metric as it was measured and as the server says it was.
struct TruthRow {
  std::string statistic;  ///< p50, p90, ...
  double measured_ms = 0, true_ms = 0;
};

/// A metric against the server's own record of the same requests.
struct TruthMetric {
  std::string metric;
  std::uint64_t count = 0;  ///< requests both know
  std::vector<TruthRow> rows;
  double error_p50_ms = 0, error_p99_ms = 0, error_max_ms = 0;  ///< of |measured - true| request by request
};

struct TruthComparison {
  std::string source;                  ///< the file
  std::uint64_t matched = 0;           ///< measured successes found in it
  std::uint64_t missing_in_truth = 0;  ///< measured successes the server's record does not have
  std::uint64_t missing_in_run = 0;    ///< generations of this run in the record that no success was counted for
  std::uint64_t unreadable = 0;        ///< lines of the record that are no generation
  std::vector<TruthMetric> metrics;
};

/// What a merge says of one process.
struct ShardNote {
  std::uint32_t index = 0;
  std::string status;  ///< complete, truncated, missing
  std::string host, directory;
  Health validity = Health::valid;
  std::uint64_t measured = 0;
  double start_error_ms = 0;
  std::optional<double> lateness_p99_ms;
};

struct Summary {
  int schema_version = 1;
  RunFacts facts;
  HostFacts host;
  Slice overall;
  std::vector<std::pair<std::string, Slice>> mix;  ///< entry name -> numbers
  GeneratorSummary generator;
  Validity validity;
  std::vector<GateResult> gates;
  Verdict verdict = Verdict::none;  ///< pass only if every gate passed; none without gates
  std::map<std::string, ExportAccount> exporters;
  std::vector<std::string> warnings;
  std::optional<double> ttft_slope_ms_per_s, concurrency_slope_per_s;  ///< steadiness over the window, when assessed
  bool over_saturated = false;
  ObservedSummary observed;                  ///< GPUs and servers; empty where no source was named
  std::optional<TruthComparison> truth;      ///< when the server's record was given
  std::vector<ShardNote> shards;             ///< of a merged run
  std::vector<std::string> degraded;         ///< why a merged run does not cover its plan
  std::map<std::string, std::string> links;  ///< where else this run can be looked at: name -> URL
};

/// Adds up, judges validity, evaluates gates. Pure; does not look at the machine (host facts are passed in).
Summary summarize(const Scenario& scenario, const RunTotals& totals, const HostFacts& host,
                  const Observations& observations = {});

/// The exit code a finished run ends with: invalid before degraded before gate results.
ExitCode exit_code(const Summary& summary);

}  // namespace loadgen
