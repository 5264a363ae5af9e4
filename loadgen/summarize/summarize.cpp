// Puts the pieces together: slices, steadiness, validity, gates, verdict, and the exit code that follows from them.
#include <fmt/format.h>

#include <algorithm>

#include "loadgen/plan/level_profile.hpp"
#include "loadgen/summarize/gate_check.hpp"
#include "loadgen/summarize/observed_gate.hpp"
#include "loadgen/summarize/slice.hpp"
#include "loadgen/summarize/steadiness.hpp"
#include "loadgen/summarize/summary.hpp"
#include "loadgen/summarize/validity.hpp"

namespace loadgen {
namespace {

void judge_gates(Summary& summary, const Scenario& scenario, const EntryTally& all,
                 const std::vector<EntryTally>& entries, const Observations& observations) {
  std::vector<GateScope> scopes{{"", &all, &summary.overall}};
  for (std::size_t i = 0; i < entries.size(); ++i)
    scopes.push_back({summary.mix[i].first, &entries[i], &summary.mix[i].second});
  const LoopKind loop = is_open_loop(scenario) ? LoopKind::open : LoopKind::closed;
  for (const Gate& gate : scenario.gates) {
    if (const auto* term = std::get_if<ObservedTerm>(&gate.term)) {
      summary.gates.push_back(
          check_observed_gate(gate, *term, observations, summary.facts.window, summary.observed.output_tokens));
      continue;
    }
    summary.gates.push_back(check_gate(gate, loop, scopes));
    const std::string warning = anchor_warning(gate, loop);
    if (!warning.empty()) summary.warnings.push_back(fmt::format("gate `{}` {}", gate.text, warning));
  }
  summary.verdict = combine(summary.gates);
}

/// A run that measured nothing, or nothing but failures, must not end as if all were well.
void judge_emptiness(Summary& summary) {
  const Counts& counts = summary.overall.counts;
  if (counts.ok > 0) return;
  summary.warnings.push_back(counts.measured == 0
                                 ? "no request was measured: nothing can be said about this target"
                                 : "no measured request succeeded: there is no valid latency in this run");
  if (summary.verdict != Verdict::fail) summary.verdict = Verdict::inconclusive;
}

/// A chat template's own tokens are no matter; another vocabulary than the one that was counted by is.
bool are_prompts_as_long_as_asked(const EntryTally& all) {
  constexpr double notable = 0.1;
  constexpr double template_tokens = 48;
  const auto asked = static_cast<double>(all.requested_input_tokens), told = static_cast<double>(all.told_input_tokens);
  const double added = template_tokens * static_cast<double>(all.ended_in(Phase::measure, Outcome::ok));
  return told >= (1 - notable) * asked && told <= (1 + notable) * asked + added;
}

void add_warnings(Summary& summary, const EntryTally& all) {
  std::uint64_t clamped = 0;
  for (const auto& values : all.latency) clamped += values.histogram().clamped();
  if (clamped > 0)
    summary.warnings.push_back(fmt::format("{} values were outside 1 µs to 1 h and count as that bound", clamped));
  if (summary.facts.interrupted) summary.warnings.push_back("the run was interrupted: the result is partial");
  if (all.osl_mismatches > 0)
    summary.warnings.push_back(fmt::format(
        "{} answers have another length than asked for ({} tokens for {}): the workload is not the planned one",
        all.osl_mismatches, all.output_tokens, all.requested_tokens));
  if (!are_prompts_as_long_as_asked(all))
    summary.warnings.push_back(
        fmt::format("prompts made to have {} tokens had {} by the server's count, a difference that no chat template "
                    "makes: name the server's 'tokenizer'",
                    all.requested_input_tokens, all.told_input_tokens));
  if (all.index_breaks > 0)
    summary.warnings.push_back(
        fmt::format("{} token events do not follow the one before by their index: the server lost or reordered tokens",
                    all.index_breaks));
  if (summary.over_saturated)
    summary.warnings.push_back("requests piled up during the window: the target is over-saturated at this rate");
}

/// A load that changes by plan within the window says nothing by changing.
bool has_constant_load(const Scenario& scenario, const RunFacts& facts) {
  const auto& stages = stages_of(scenario.load);
  return stages.empty() || LevelProfile(stages).is_level(facts.window.begin_ns - facts.mono_start_ns,
                                                         facts.window.end_ns - facts.mono_start_ns);
}

bool lost_something(const ExportAccount& account) {
  if (account.is_view) return false;
  return account.stored != account.offered || account.rejected > 0 || account.spilled > 0 || account.dropped > 0;
}

}  // namespace

Summary summarize(const Scenario& scenario, const RunTotals& totals, const HostFacts& host,
                  const Observations& observations) {
  Summary summary;
  summary.facts = totals.facts;
  summary.host = host;
  std::vector<EntryTally> entries = totals.entries;
  entries.resize(scenario.mix.size());  // a run cut off before its first interval has none
  EntryTally all;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    all.add(entries[i]);
    summary.mix.emplace_back(scenario.mix[i].name, summarize_entry(entries[i], totals.facts.window));
  }
  summary.overall = summarize_run(all, scenario, totals);
  summary.generator = summarize_generator(totals.health);

  const Steadiness steadiness =
      has_constant_load(scenario, totals.facts) ? assess_steadiness(totals.series, totals.facts.window) : Steadiness{};
  if (steadiness.ttft) summary.ttft_slope_ms_per_s = steadiness.ttft->slope_per_s;
  if (steadiness.concurrency) summary.concurrency_slope_per_s = steadiness.concurrency->slope_per_s;
  summary.over_saturated = steadiness.is_over_saturated();

  summary.validity = judge_validity(scenario, totals, all, steadiness);
  summary.observed = summarize_observed(observations, totals.facts.window, all.output_tokens_in_window);
  judge_observed(summary.validity, summary.observed);
  judge_gates(summary, scenario, all, entries, observations);
  judge_emptiness(summary);
  add_warnings(summary, all);
  for (std::string& warning : observed_warnings(summary.observed)) summary.warnings.push_back(std::move(warning));
  const bool has_tls =
      std::any_of(scenario.mix.begin(), scenario.mix.end(), [](const MixEntry& entry) { return entry.target.is_tls; });
  if (scenario.tls.insecure && has_tls)
    summary.warnings.push_back("--insecure: no certificate was checked, so anyone may have answered");
  return summary;
}

ExitCode exit_code(const Summary& summary) {
  if (summary.validity.status == Health::invalid) return ExitCode::invalid;
  const bool lost = std::any_of(summary.exporters.begin(), summary.exporters.end(),
                                [](const auto& exporter) { return lost_something(exporter.second); });
  if (summary.facts.interrupted || lost || !summary.degraded.empty()) return ExitCode::degraded;
  if (summary.verdict == Verdict::fail) return ExitCode::gate_failed;
  if (summary.verdict == Verdict::inconclusive) return ExitCode::inconclusive;
  return ExitCode::pass;
}

}  // namespace loadgen
