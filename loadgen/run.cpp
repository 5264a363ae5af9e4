// The life of one run, from pre-flight to the final table.
#include "loadgen/run.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <random>
#include <thread>

#include "loadgen/conductor.hpp"
#include "loadgen/doctor.hpp"
#include "loadgen/drive/targets.hpp"
#include "loadgen/export/all_exports.hpp"
#include "loadgen/export/final_table.hpp"
#include "loadgen/export/host_facts.hpp"
#include "loadgen/export/plan_hash.hpp"
#include "loadgen/export/run_directory.hpp"
#include "loadgen/export/stop_signals.hpp"
#include "loadgen/export/truth_file.hpp"
#include "loadgen/observe/observer.hpp"
#include "loadgen/start_file.hpp"
#include "loadgen/summarize/summary.hpp"
#include "loadgen/summarize/truth.hpp"

namespace loadgen {
namespace {

/// Passes what the conductor says on to the exporters and the terminal.
class Outlets final : public RunListener {
 public:
  /// `truth` is null where there is nothing to compare with.
  Outlets(const Scenario& scenario, RunExport& exports, ProgressView& progress, Observer& observer, TruthMatcher* truth)
      : scenario_(scenario), exports_(exports), progress_(progress), observer_(observer), truth_(truth) {}
  void on_interval(const RunFacts& facts, const Interval& interval) override {
    exports_.on_interval(scenario_, facts, interval);
    export_observed(facts);
    if (truth_ == nullptr) return;
    for (const RequestRow& row : interval.rows) {
      truth_->add_measured(row);
      add_answered_truth(facts.run_id, row.record);
    }
  }
  void on_checkpoint(const RunTotals& totals) override { exports_.on_checkpoint(scenario_, totals); }
  void on_event(const RunFacts& facts, std::int64_t at_ns, const std::string& kind, const std::string& text) override {
    exports_.on_event(facts, at_ns, kind, text);
  }
  void on_progress(const ProgressSnapshot& snapshot) override { progress_.show(snapshot); }

  /// Passes on what was read of GPUs and servers meanwhile.
  void export_observed(const RunFacts& facts) {
    if (const auto readings = observer_.take_new(); !readings.empty()) exports_.on_observed(facts, readings);
  }

  std::uint64_t damaged_truths() const noexcept { return damaged_truths_; }

 private:
  /// What the answer itself said, after the request is known to have been measured.
  void add_answered_truth(const std::string& run_id, const RequestFacts& record) {
    if (record.truth.empty() || record.phase != Phase::measure) return;
    bool is_damaged = false;
    const auto entry = parse_truth_line(record.truth, run_id, is_damaged);
    damaged_truths_ += is_damaged ? 1 : 0;
    if (entry) truth_->add_true(entry->index, entry->times);
  }

  const Scenario& scenario_;
  RunExport& exports_;
  ProgressView& progress_;
  Observer& observer_;
  TruthMatcher* truth_;
  std::uint64_t damaged_truths_ = 0;
};

std::string make_run_id() {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return fmt::format("{:%Y%m%dT%H%M%SZ}-{:04x}", fmt::gmtime(std::chrono::system_clock::to_time_t(now)),
                     std::random_device{}() & 0xffffU);
}

/// The conductor waits for these itself; every thread started from here on inherits the mask.
void block_signals() {
  const sigset_t set = stop_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

ExitCode complain(ExitCode code, const std::string& message) {
  fmt::print(stderr, "loadgen: {}\n", message);
  return code;
}

/// Shards of one run have one name for it: it comes from what they share.
std::string run_id_of(const RunCommand& command) {
  if (!command.start_at_ns) return make_run_id();
  const std::time_t start = static_cast<std::time_t>(*command.start_at_ns / 1'000'000'000);
  const std::string hash = plan_hash(command.scenario, command.shard.count, command.start_at_ns);
  return fmt::format("{:%Y%m%dT%H%M%SZ}-{}", fmt::gmtime(start), hash.substr(0, 4));
}

/// A directory for this process alone; the exit code when the result exists or cannot be written.
std::optional<ExitCode> claim_results(const RunCommand& command) {
  const auto& dir = command.exports.out_dir;
  if (const std::string file = run_file_in(dir); !file.empty()) {
    return complain(ExitCode::exists,
                    fmt::format("{} already holds a run ({}); give --out another directory or move that run away",
                                dir.string(), file));
  }
  if (command.shard.is_alone()) return std::nullopt;
  const auto claimed = claim_directory(dir);
  if (!claimed) return complain(ExitCode::error, claimed.error());
  if (*claimed) return std::nullopt;
  return complain(ExitCode::exists, fmt::format("{} exists: another attempt at shard {} was or is at work there",
                                                dir.string(), command.shard.index));
}

/// The server may still be writing: it gets a few seconds to say the rest.
TruthComparison compare_with_truth(const std::filesystem::path& path, const std::string& run_id,
                                   TruthMatcher& matcher) {
  TruthFile file(path, run_id);
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(3);
  for (file.read_more(matcher); !matcher.has_all() && std::chrono::steady_clock::now() < give_up;
       file.read_more(matcher))
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  TruthComparison comparison = matcher.compare();
  comparison.source = path.string();
  comparison.unreadable = file.damaged_lines();
  return comparison;
}

TruthComparison answered_truth(const TruthMatcher& matcher, std::uint64_t damaged) {
  TruthComparison comparison = matcher.compare();
  comparison.source = "the answers";
  comparison.unreadable = damaged;
  return comparison;
}

ExitCode not_started(const RunCommand& command) {
  abandon_run_directory(command.exports.out_dir);
  return complain(ExitCode::too_late,
                  fmt::format("shard {}/{} was not ready for the common start, more than a second ago, or was stopped "
                              "before it; nothing was sent. Give --start-at more lead",
                              command.shard.index, command.shard.count));
}

void announce(const RunCommand& command, const std::string& run_id) {
  if (command.shard.is_alone()) return;
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  fmt::print(stderr, "shard {}/{} from {} on host {}{}, run {}\n", command.shard.index, command.shard.count,
             command.shard.source, host, command.shard.attempt.empty() ? "" : " attempt " + command.shard.attempt,
             run_id);
}

/// The common start where a file is to say it; the reason where it does not.
Result<void, std::string> learn_start(RunCommand& command) {
  constexpr std::chrono::hours longest_wait(1);
  if (!command.start_file) return {};
  fmt::print(stderr, "armed: waiting for {} to say when to start\n", command.start_file->string());
  const auto at = await_start_file(*command.start_file, longest_wait);
  if (!at) return {boost::system::in_place_error, at.error()};
  command.start_at_ns = *at;
  return {};
}

}  // namespace

ExitCode run_load(RunCommand command) {
  block_signals();
  raise_file_limit();
  const auto addresses = preflight(command.scenario);
  if (!addresses) return complain(ExitCode::unreachable, addresses.error());
  if (command.truth_file && !std::ifstream(*command.truth_file)) {
    return complain(ExitCode::error, fmt::format("--truth {}: cannot be read; start the server with --truth-log first",
                                                 command.truth_file->string()));
  }
  if (const auto code = claim_results(command)) return *code;
  auto exports = open_all_exports(command.exports, command.scenario);
  if (!exports) {
    if (!command.shard.is_alone()) abandon_run_directory(command.exports.out_dir);  // the next attempt may have it
    return complain(ExitCode::error, exports.error());
  }

  if (const auto known = learn_start(command); !known) {
    abandon_run_directory(command.exports.out_dir);
    return complain(ExitCode::too_late, known.error() + "; nothing was sent");
  }
  const std::string run_id = run_id_of(command);
  announce(command, run_id);
  const Plan plan(command.scenario);
  Observer observer(command.scenario, std::getenv("LOADGEN_NVML_LIBRARY"));
  for (const std::string& complaint : observer.complaints())
    fmt::print(stderr, "loadgen: {}; gates on it will be inconclusive\n", complaint);
  const auto progress = make_progress_view(command.progress);
  TruthMatcher truth;
  Outlets outlets(plan.scenario(), **exports, *progress, observer,
                  command.truth_file || command.truth_in_answers ? &truth : nullptr);
  Conductor conductor(plan, *addresses,
                      {command.exports.record, run_id, command.shard, command.slowest, command.start_at_ns}, outlets);
  observer.start();
  const auto conducted = conductor.conduct();
  progress->close();
  if (!conducted) return not_started(command);
  const RunTotals& totals = *conducted;

  const Observations observations = observer.finish();
  outlets.export_observed(totals.facts);
  Summary summary = summarize(plan.scenario(), totals, read_host_facts(), observations);
  for (const std::string& warning : preflight_warnings(command.scenario, command.shard.count))
    summary.warnings.push_back(warning);
  if (command.truth_in_answers) summary.truth = answered_truth(truth, outlets.damaged_truths());
  if (command.truth_file) summary.truth = compare_with_truth(*command.truth_file, run_id, truth);
  const auto finished = (*exports)->finish(plan.scenario(), totals, observations, summary);
  const Colour colour = isatty(STDOUT_FILENO) != 0 ? Colour::ansi : Colour::none;
  fmt::print("{}\nresults: {}\n", render_final_table(plan.scenario(), summary, colour),
             command.exports.out_dir.string());
  std::fflush(stdout);
  (*exports)->linger(totals.facts, command.progress);
  if (!finished) return complain(ExitCode::error, finished.error());
  return exit_code(summary);
}

}  // namespace loadgen
