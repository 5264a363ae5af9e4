#include "loadgen/export/final_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "loadgen/export/terminal_text.hpp"

namespace loadgen {
namespace {

constexpr std::size_t full_width = 118;

/// A sentence behind a mark, wrapped below itself; `margin` is what stands before it.
std::string sentence(const std::string& text, std::size_t margin) {
  return wrap_text(without_controls(text), full_width - margin, margin);
}

/// Escape sequences, or nothing where colours are off.
class Painter {
 public:
  explicit Painter(Colour colour) : on_(colour == Colour::ansi) {}
  std::string bold(const std::string& text) const { return wrap("1", text); }
  std::string grey(const std::string& text) const { return wrap("2", text); }
  std::string green(const std::string& text) const { return wrap("32", text); }
  std::string red(const std::string& text) const { return wrap("31", text); }
  std::string yellow(const std::string& text) const { return wrap("33", text); }

 private:
  std::string wrap(const char* code, const std::string& text) const {
    return on_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
  }
  bool on_;
};

std::string format_ms(double ms) {
  if (ms >= 10'000) return fmt::format("{:.2f} s", ms / 1000);
  return fmt::format("{:.{}f}", ms, ms < 10 ? 2 : 1);
}

std::string format_rate(double rate) {
  return fmt::format("{:.{}f}", rate, rate >= 1000 ? 0 : rate >= 10 ? 1 : 2);
}

/// One latency cell, right-aligned: a value, or in grey why there is none. `quantile` is 0 for what is no percentile.
std::string latency_cell(const Painter& paint, const MetricSummary& metric, const std::optional<double>& value,
                         double quantile, std::size_t width) {
  if (value) return pad_left(format_ms(*value), width);
  const std::uint64_t values = metric.count + metric.censored;
  if (values == 0) return paint.grey(pad_left("–", width));
  return paint.grey(pad_left(values < exporters::percentile_floor(quantile) ? "n small" : "cut off", width));
}

std::string header_lines(const Painter& paint, const Scenario& scenario, const Summary& summary) {
  const Counts& counts = summary.overall.counts;
  const Rates& rates = summary.overall.rates;
  std::string out =
      fmt::format("\n{}  {}\n", paint.bold(without_controls(scenario.name)),
                  paint.grey("run " + summary.facts.run_id + (summary.facts.interrupted ? ", interrupted" : "")));
  out += fmt::format(
      "  measured {:.1f} s: {} ok, {} failed{}; {} warm-up and {} drain requests left out\n",
      summary.facts.window.seconds(), counts.ok, counts.failed > 0 ? paint.red(std::to_string(counts.failed)) : "0",
      counts.cancelled > 0 ? fmt::format(", {} cut off", counts.cancelled) : "", counts.warmup, counts.drain);
  out += fmt::format("  {} requests/s   {} output tokens/s   {} in flight   errors {}\n",
                     paint.bold(format_rate(rates.request_throughput)),
                     paint.bold(format_rate(rates.output_token_throughput)), format_rate(rates.concurrency_mean),
                     rates.error_rate ? fmt::format("{:.3g} %", *rates.error_rate * 100) : "–");
  return out;
}

/// ttfo differs from ttft only where something was thought before it was said: elsewhere the row says nothing new.
bool repeats_ttft(Metric metric, const Slice& slice) {
  const auto of = [&](Metric m) -> const MetricSummary& { return slice.metrics[static_cast<std::size_t>(m)]; };
  return metric == Metric::ttfo && of(metric).count == of(Metric::ttft).count &&
         of(metric).censored == of(Metric::ttft).censored && of(metric).mean == of(Metric::ttft).mean;
}

std::string metric_table(const Painter& paint, const Summary& summary) {
  std::string out = "\n  " + paint.grey(pad_right("latency in ms", 16) + pad_left("values", 9));
  for (const char* column : {"mean", "min", "p50", "p90", "p95", "p99", "p99.9", "max"})
    out += paint.grey(pad_left(column, 10));
  out += '\n';
  for (std::size_t i = 0; i < metric_count; ++i) {
    const MetricSummary& m = summary.overall.metrics[i];
    if (m.count + m.censored == 0 || repeats_ttft(static_cast<Metric>(i), summary.overall)) continue;
    out += "  " + pad_right(metric_labels[i], 16) + pad_left(std::to_string(m.count), 9);
    out += latency_cell(paint, m, m.mean, 0, 10) + latency_cell(paint, m, m.min, 0, 10);
    out += latency_cell(paint, m, m.p50, 0.5, 10) + latency_cell(paint, m, m.p90, 0.9, 10);
    out += latency_cell(paint, m, m.p95, 0.95, 10) + latency_cell(paint, m, m.p99, 0.99, 10);
    out += latency_cell(paint, m, m.p99_9, 0.999, 10) + latency_cell(paint, m, m.max, 1, 10);
    if (m.censored > 0) out += paint.red(fmt::format("  +{} cut off", m.censored));
    out += '\n';
  }
  return out;
}

std::string mix_row(const Painter& paint, const std::string& name, const Slice& slice, bool open) {
  const auto metric = [&](Metric m) -> const MetricSummary& { return slice.metrics[static_cast<std::size_t>(m)]; };
  const MetricSummary& ttft = metric(open ? Metric::ttft_sched : Metric::ttft);
  const MetricSummary& e2e = metric(open ? Metric::e2e_sched : Metric::e2e);
  const MetricSummary& tpot = metric(Metric::tpot);
  const std::string failed = pad_left(std::to_string(slice.counts.failed), 8);
  return "  " + pad_right(without_controls(name), 24) + pad_left(std::to_string(slice.counts.ok), 9) +
         (slice.counts.failed > 0 ? paint.red(failed) : failed) +
         pad_left(format_rate(slice.rates.request_throughput), 9) +
         pad_left(format_rate(slice.rates.output_token_throughput), 10) + latency_cell(paint, ttft, ttft.p50, 0.5, 11) +
         latency_cell(paint, ttft, ttft.p99, 0.99, 9) + latency_cell(paint, tpot, tpot.p50, 0.5, 10) +
         latency_cell(paint, e2e, e2e.p50, 0.5, 10) + latency_cell(paint, e2e, e2e.p99, 0.99, 10) + "\n";
}

std::string mix_table(const Painter& paint, const Summary& summary, bool open) {
  std::string out = "\n  " +
                    paint.grey(pad_right("mix", 24) + pad_left("ok", 9) + pad_left("failed", 8) + pad_left("req/s", 9) +
                               pad_left("tok/s", 10) + pad_left("ttft p50", 11) + pad_left("p99", 9) +
                               pad_left("tpot p50", 10) + pad_left("e2e p50", 10) + pad_left("p99", 10)) +
                    "\n";
  for (const auto& [name, slice] : summary.mix) out += mix_row(paint, name, slice, open);
  if (open) out += "  " + paint.grey("ttft and e2e of the mix count from the schedule") + "\n";
  return out;
}

std::string gate_lines(const Painter& paint, const Summary& summary) {
  if (summary.gates.empty()) return "";
  std::string out = "\n";
  for (const GateResult& gate : summary.gates) {
    const std::string value = !gate.value            ? ""
                              : gate.unit.empty()    ? fmt::format("{:.4g}", *gate.value)
                              : gate.unit != "ms"    ? fmt::format("{:.6g} {}", *gate.value, gate.unit)
                              : *gate.value < 10'000 ? format_ms(*gate.value) + " ms"
                                                     : format_ms(*gate.value);
    const std::string mark = gate.status == GateResult::Status::pass   ? paint.green("✓ pass")
                             : gate.status == GateResult::Status::fail ? paint.red("✗ fail")
                                                                       : paint.yellow("? inconclusive");
    out += fmt::format("  {}  {}{}\n", mark, without_controls(gate.text), value.empty() ? "" : "   measured " + value);
    if (!gate.note.empty()) out += "          " + paint.grey(sentence(gate.note, 10)) + "\n";
  }
  return out;
}

/// One line per GPU, and what a token cost.
std::string gpu_lines(const Painter& paint, const Summary& summary) {
  std::string out;
  for (const ObservedSubject& gpu : summary.observed.subjects) {
    if (gpu.subject.kind != Subject::Kind::gpu) continue;
    std::string facts;
    for (const ObservedStatistic& metric : gpu.metrics) {
      const auto add = [&](std::string_view what, double value) {
        facts += fmt::format("{}{} {:.4g} {}", facts.empty() ? "" : ", ", what, value, label(info(metric.metric).unit));
      };
      if (metric.metric == ObservedMetric::gpu_utilization) add("busy", metric.mean);
      if (metric.metric == ObservedMetric::gpu_memory_used_mib) add("memory up to", metric.max);
      if (metric.metric == ObservedMetric::gpu_power_w) add("power", metric.mean);
    }
    out += fmt::format("  GPU {} ({}): {}\n", without_controls(gpu.subject.gpu),
                       without_controls(gpu.subject.name.empty() ? gpu.subject.source : gpu.subject.name), facts);
  }
  if (summary.observed.joules_per_output_token)
    out += paint.grey(fmt::format("  {:.4g} J per output token\n", *summary.observed.joules_per_output_token));
  return out.empty() ? "" : "\n" + out;
}

std::string error_lines(const Painter& paint, const Summary& summary) {
  std::vector<std::pair<std::string, std::uint64_t>> errors(summary.overall.counts.errors.begin(),
                                                            summary.overall.counts.errors.end());
  std::stable_sort(errors.begin(), errors.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string out;
  constexpr std::size_t shown = 5;
  for (std::size_t i = 0; i < std::min(errors.size(), shown); ++i)
    out += fmt::format("  {} {}\n", paint.red(pad_left(std::to_string(errors[i].second) + "×", 9)),
                       cut_to_width(without_controls(errors[i].first), full_width - 12));
  if (errors.size() > shown) out += paint.grey(fmt::format("  and {} more kinds of errors\n", errors.size() - shown));
  return out.empty() ? "" : "\n" + out;
}

std::string verdict_word(const Painter& paint, Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return paint.green("PASS");
    case Verdict::fail:
      return paint.red("FAIL");
    case Verdict::inconclusive:
      return paint.yellow("INCONCLUSIVE");
    case Verdict::none:
      break;
  }
  return "no gates";
}

std::string validity_word(const Painter& paint, Health health) {
  if (health == Health::valid) return paint.green("VALID");
  return health == Health::suspect ? paint.yellow("SUSPECT") : paint.red("INVALID");
}

/// Measured beside true, and how far single requests are off.
std::string truth_table(const Painter& paint, const Summary& summary) {
  if (!summary.truth) return "";
  const TruthComparison& truth = *summary.truth;
  std::string out = "\n  " +
                    paint.grey(pad_right("against the truth, ms", 24) + pad_left("measured", 12) +
                               pad_left("true", 12) + pad_left("difference", 13) + pad_left("request by request", 32)) +
                    "\n";
  for (const TruthMetric& metric : truth.metrics) {
    for (const TruthRow& row : metric.rows) {
      out += "  " + pad_right(metric.metric + " " + row.statistic, 24) +
             pad_left(fmt::format("{:.3f}", row.measured_ms), 12) + pad_left(fmt::format("{:.3f}", row.true_ms), 12) +
             pad_left(fmt::format("{:+.3f}", row.measured_ms - row.true_ms), 13);
      if (&row == &metric.rows.front())
        out += pad_left(fmt::format("p50 {:.3f}  p99 {:.3f}  max {:.3f}", metric.error_p50_ms, metric.error_p99_ms,
                                    metric.error_max_ms),
                        44);
      out += '\n';
    }
  }
  const std::string counts =
      fmt::format("{} requests matched by id; {} measured are not in the record, {} of the record were not measured{}",
                  truth.matched, truth.missing_in_truth, truth.missing_in_run,
                  truth.unreadable > 0 ? fmt::format(", {} lines unreadable", truth.unreadable) : "");
  return out + "  " + (truth.missing_in_truth > 0 ? paint.yellow(counts) : paint.grey(counts)) + "\n";
}

std::string shard_table(const Painter& paint, const Summary& summary) {
  if (summary.shards.empty()) return "";
  std::string out =
      "\n  " +
      paint.grey(pad_right("shard", 7) + pad_right("status", 11) + pad_right("host", 24) + pad_left("measured", 10) +
                 pad_left("lateness p99", 14) + pad_left("start error", 13) + "  generator") +
      "\n";
  for (const ShardNote& note : summary.shards) {
    out += "  " + pad_right(std::to_string(note.index), 7);
    if (note.status == "missing") {
      out += paint.red("missing") + "\n";
      continue;
    }
    const std::string status = pad_right(note.status, 11);
    out += (note.status == "complete" ? status : paint.yellow(status)) + pad_right(without_controls(note.host), 24) +
           pad_left(std::to_string(note.measured), 10) +
           pad_left(note.lateness_p99_ms ? format_ms(*note.lateness_p99_ms) : "–", 14) +
           pad_left(fmt::format("{:+.2f} ms", note.start_error_ms), 13) + "  " + validity_word(paint, note.validity) +
           "\n";
  }
  return out;
}

std::string closing_lines(const Painter& paint, const Summary& summary) {
  std::string out =
      fmt::format("\n  {}   generator {}\n", paint.bold("verdict ") + verdict_word(paint, summary.verdict),
                  validity_word(paint, summary.validity.status));
  for (const std::string& reason : summary.validity.reasons)
    out += "    " + paint.yellow("! ") + sentence(reason, 6) + "\n";
  for (const std::string& warning : summary.warnings) out += "    " + paint.yellow("! ") + sentence(warning, 6) + "\n";
  for (const auto& [name, account] : summary.exporters) {
    const bool complete = account.stored == account.offered;
    if (complete && name != "influx") continue;  // files are taken for granted when nothing is missing
    std::string line = fmt::format("{}: {} of {} stored, {} rejected, {} spilled, {} dropped", name, account.stored,
                                   account.offered, account.rejected, account.spilled, account.dropped);
    if (account.in_database && account.in_database->not_counted.empty())
      line += fmt::format("; the database holds {}{}", account.in_database->found(),
                          account.in_database->uncounted == 0
                              ? ""
                              : fmt::format(" and of {} it cannot be said", account.in_database->uncounted));
    out += "    " + (complete ? paint.grey(line) : paint.red(line)) + "\n";
  }
  return out;
}

}  // namespace

std::string render_final_table(const Scenario& scenario, const Summary& summary, Colour colour) {
  const Painter paint(colour);
  std::string out = header_lines(paint, scenario, summary);
  out += metric_table(paint, summary);
  if (summary.mix.size() > 1) out += mix_table(paint, summary, is_open_loop(scenario));
  out += shard_table(paint, summary) + truth_table(paint, summary) + error_lines(paint, summary) +
         gpu_lines(paint, summary) + gate_lines(paint, summary) + closing_lines(paint, summary);
  return out;
}

}  // namespace loadgen
