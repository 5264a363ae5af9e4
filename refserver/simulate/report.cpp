// Tables and JSON of the same figures; times in JSON are nanoseconds.
#include "refserver/simulate/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace refserver {
namespace {

using Json = nlohmann::ordered_json;

struct Summary {
  const char* name;
  const std::vector<std::int64_t>* series;
};

std::vector<Summary> summaries(const SimulationResult& result) {
  return {{"wait", &result.wait}, {"ttft", &result.ttft}, {"gap", &result.gap}, {"e2e", &result.e2e}};
}

std::vector<std::int64_t> sorted(std::vector<std::int64_t> values) {
  std::ranges::sort(values);
  return values;
}

Json series_json(const std::vector<std::int64_t>& values) {
  if (values.empty()) return nullptr;
  const auto ordered = sorted(values);
  Json out{{"count", ordered.size()}, {"mean_ns", mean_of(ordered)}};
  for (const double p : {0.5, 0.9, 0.99, 0.999}) out[statistic_name(p) + "_ns"] = percentile_of(ordered, p);
  out["max_ns"] = ordered.back();
  return out;
}

Json result_json(const SimulationResult& result) {
  Json out{{"requests", result.wait.size()},
           {"duration_ns", result.duration.count()},
           {"requests_per_s", result.requests_per_s()},
           {"tokens_per_s", result.tokens_per_s()},
           {"busy_share", result.busy_share()},
           {"mean_rows", result.mean_rows()},
           {"kv_utilisation", result.kv_utilisation() ? Json(*result.kv_utilisation()) : Json()},
           {"most_kv_slots", std::uint64_t{result.steps.most_blocks} * result.block_size},
           {"steps", result.steps.steps},
           {"step_tokens", result.steps.tokens},
           {"preemptions", result.counters.preemptions},
           {"drafted_tokens", result.counters.drafted_tokens},
           {"accepted_drafts", result.counters.accepted_drafts}};
  for (const Summary& summary : summaries(result)) out[summary.name] = series_json(*summary.series);
  return out;
}

std::string share_text(const std::optional<double>& share) {
  return share ? fmt::format("{:.1f} %", *share * 100) : "-";
}

std::string series_text(const SimulationResult& result) {
  std::string out = fmt::format("  {:<6}{:>12}{:>12}{:>12}{:>12}{:>12}\n", "", "mean", "p50", "p90", "p99", "max");
  for (const Summary& summary : summaries(result)) {
    if (summary.series->empty()) continue;
    const auto ordered = sorted(*summary.series);
    out += fmt::format("  {:<6}{:>12}", summary.name, time_text(mean_of(ordered)));
    for (const double p : {0.5, 0.9, 0.99}) {
      out += fmt::format("{:>12}", time_text(static_cast<double>(percentile_of(ordered, p))));
    }
    out += fmt::format("{:>12}\n", time_text(static_cast<double>(ordered.back())));
  }
  return out;
}

std::string findings_text(const std::vector<Finding>& findings) {
  std::string out = fmt::format("  {:<12}{:>14}{:>14}{:>14}{:>14}\n", "", "theory", "simulated", "from", "to");
  for (const auto& [expected, simulated] : findings) {
    out += fmt::format("  {:<5}{:<7}{:>14}{:>14}{:>14}{:>14}  {}\n", series_name(expected.series),
                       statistic_name(expected.p), time_text(expected.value), time_text(simulated.value),
                       time_text(std::max(0.0, simulated.low)), time_text(simulated.high),
                       Finding{expected, simulated}.agrees() ? "agrees" : "DIFFERS");
  }
  return out;
}

}  // namespace

bool ScenarioRun::agrees() const {
  return std::ranges::all_of(findings, &Finding::agrees);
}

std::string time_text(double ns) {
  if (std::isinf(ns)) return "-";
  const double size = std::abs(ns);
  if (size >= 1e9) return fmt::format("{:.4g} s", ns * 1e-9);
  if (size >= 1e6) return fmt::format("{:.4g} ms", ns * 1e-6);
  if (size >= 1e3) return fmt::format("{:.4g} us", ns * 1e-3);
  return fmt::format("{:.4g} ns", ns);
}

std::string scenario_text(const ScenarioRun& run) {
  const SimulationResult& result = run.result;
  std::string out =
      fmt::format("{}{}{}\n", run.scenario.name, run.scenario.what.empty() ? "" : ": ", run.scenario.what);
  const auto busy = expected_busy_share(run.scenario);
  out += fmt::format("  {} requests in {} of virtual time: {:.4g} requests/s, {:.4g} tokens/s\n", result.wait.size(),
                     time_text(static_cast<double>(result.duration.count())), result.requests_per_s(),
                     result.tokens_per_s());
  out += fmt::format("  busy {:.4f} of the time{}; {:.3g} requests per step; KV utilisation {}; {} preemptions\n",
                     result.busy_share(), busy ? fmt::format(" (theory {:.4f})", *busy) : "", result.mean_rows(),
                     share_text(result.kv_utilisation()), result.counters.preemptions);
  if (result.counters.drafted_tokens > 0) {
    out +=
        fmt::format("  {} of {} drafts were right\n", result.counters.accepted_drafts, result.counters.drafted_tokens);
  }
  return out + (run.findings.empty() ? series_text(result) : findings_text(run.findings)) + "\n";
}

std::string scenario_json(const ScenarioRun& run) {
  Json out{{"name", run.scenario.name},     {"what", run.scenario.what}, {"theory", theory_name(run.scenario.theory)},
           {"warmup", run.scenario.warmup}, {"agrees", run.agrees()},    {"result", result_json(run.result)},
           {"findings", Json::array()}};
  for (const Finding& finding : run.findings) {
    // A percentile's error is known of the share below it, not in time.
    const char* const error = finding.expected.p ? "standard_error_share" : "standard_error_ns";
    out["findings"].push_back({{"series", series_name(finding.expected.series)},
                               {"statistic", statistic_name(finding.expected.p)},
                               {"simulated_ns", finding.simulated.value},
                               {error, finding.simulated.standard_error},
                               {"low_ns", finding.simulated.low},
                               {"high_ns", finding.simulated.high},
                               {"theory_ns", finding.expected.value},
                               {"agrees", finding.agrees()}});
  }
  return out.dump();
}

std::string comparison_text(const ComparisonSettings& settings, const std::vector<ComparedRun>& runs) {
  std::string out = fmt::format("{} requests on {}, {} KV slots, at most {} at once\n\n", settings.trace.sizes.size(),
                                settings.preset.name, settings.kv_tokens, settings.max_batch_size);
  out += fmt::format("{:<11}{:>10}{:>10}{:>8}{:>9}{:>9}{:>11}{:>11}{:>11}{:>10}\n", "", "tokens/s", "duration", "rows",
                     "KV used", "preempt.", "TTFT p50", "TTFT p99", "e2e p50", "gap p99");
  for (const ComparedRun& run : runs) {
    const SimulationResult& result = run.result;
    const auto percentile = [](const std::vector<std::int64_t>& values, double p) {
      return values.empty() ? "-" : time_text(static_cast<double>(percentile_of(sorted(values), p)));
    };
    out +=
        fmt::format("{:<11}{:>10.1f}{:>10}{:>8.2f}{:>9}{:>9}{:>11}{:>11}{:>11}{:>10}\n", run.name,
                    result.tokens_per_s(), time_text(static_cast<double>(result.duration.count())), result.mean_rows(),
                    share_text(result.kv_utilisation()), result.counters.preemptions, percentile(result.ttft, 0.5),
                    percentile(result.ttft, 0.99), percentile(result.e2e, 0.5), percentile(result.gap, 0.99));
  }
  out +=
      "\nrows: requests in a step, mean over busy time. KV used: written token slots over slots of allocated "
      "blocks, mean over steps.\n";
  for (const ComparedRun& run : runs) out += fmt::format("{}: {}.\n", run.name, run.what);
  return out;
}

std::string comparison_json(const ComparisonSettings& settings, const std::vector<ComparedRun>& runs) {
  Json out{{"requests", settings.trace.sizes.size()},
           {"preset", settings.preset.name},
           {"preset_notes", settings.preset.notes},
           {"kv_tokens", settings.kv_tokens},
           {"max_batch_size", settings.max_batch_size},
           {"max_total_tokens", settings.max_total_tokens},
           {"runs", Json::array()}};
  for (const ComparedRun& run : runs) {
    out["runs"].push_back({{"name", run.name}, {"what", run.what}, {"result", result_json(run.result)}});
  }
  return out.dump();
}

}  // namespace refserver
