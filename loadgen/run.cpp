// The life of one run, from pre-flight to the final table.
#include "loadgen/run.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <random>

#include "loadgen/conductor.hpp"
#include "loadgen/drive/targets.hpp"
#include "loadgen/export/final_table.hpp"
#include "loadgen/export/host_facts.hpp"
#include "loadgen/summarize/summary.hpp"

namespace loadgen {
namespace {

/// Passes what the conductor says on to the exporters and the terminal.
class Outlets final : public RunListener {
 public:
  Outlets(const Scenario& scenario, RunExport& exports, ProgressView& progress)
      : scenario_(scenario), exports_(exports), progress_(progress) {}
  void on_interval(const RunFacts& facts, const Interval& interval) override {
    exports_.on_interval(scenario_, facts, interval);
  }
  void on_event(const RunFacts& facts, std::int64_t at_ns, const std::string& kind, const std::string& text) override {
    exports_.on_event(facts, at_ns, kind, text);
  }
  void on_progress(const ProgressSnapshot& snapshot) override { progress_.show(snapshot); }

 private:
  const Scenario& scenario_;
  RunExport& exports_;
  ProgressView& progress_;
};

std::string make_run_id() {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return fmt::format("{:%Y%m%dT%H%M%SZ}-{:04x}", fmt::gmtime(std::chrono::system_clock::to_time_t(now)),
                     std::random_device{}() & 0xffffU);
}

/// The conductor waits for these itself; every thread started from here on inherits the mask.
void block_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

ExitCode complain(ExitCode code, const std::string& message) {
  fmt::print(stderr, "loadgen: {}\n", message);
  return code;
}

}  // namespace

ExitCode run_load(const RunCommand& command) {
  block_signals();
  raise_file_limit();
  const auto addresses = preflight(command.scenario);
  if (!addresses) return complain(ExitCode::unreachable, addresses.error());
  auto exports = make_run_export(command.exports, command.scenario);
  if (!exports) return complain(ExitCode::error, exports.error());

  const Plan plan(command.scenario);
  const auto progress = make_progress_view(command.progress);
  Outlets outlets(plan.scenario(), **exports, *progress);
  Conductor conductor(plan, *addresses, command.exports.record, make_run_id(), outlets);
  const RunTotals totals = conductor.conduct();
  progress->close();

  Summary summary = summarize(plan.scenario(), totals, read_host_facts());
  const auto finished = (*exports)->finish(plan.scenario(), totals, summary);
  const Colour colour = isatty(STDOUT_FILENO) != 0 ? Colour::ansi : Colour::none;
  fmt::print("{}\nresults: {}\n", render_final_table(plan.scenario(), summary, colour),
             command.exports.out_dir.string());
  std::fflush(stdout);
  if (!finished) return complain(ExitCode::error, finished.error());
  return exit_code(summary);
}

}  // namespace loadgen
