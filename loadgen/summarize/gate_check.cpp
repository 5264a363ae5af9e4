#include "loadgen/summarize/gate_check.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace loadgen {
namespace {

using Status = GateResult::Status;

struct Finding {
  Status status = Status::inconclusive;
  std::optional<double> value;
  std::string note;
};

Finding decided(const Gate& gate, double value) {
  return {holds(value, gate) ? Status::pass : Status::fail, value, ""};
}

Finding undecided(std::string note) {
  return {Status::inconclusive, std::nullopt, std::move(note)};
}

/// The value lies among requests that a timeout cut off: larger than any limit.
Finding beyond(const Gate& gate, const exporters::Distribution& values) {
  return {wants_small(gate.comparison) ? Status::fail : Status::pass, std::nullopt,
          fmt::format("lies among {} requests cut by a timeout, above {:.6g} ms", values.censored(),
                      values.censored_above_ms().value_or(0))};
}

bool is_sched(Metric metric) {
  return metric == Metric::ttft_sched || metric == Metric::e2e_sched || metric == Metric::lateness;
}

Finding check_percentile(const Gate& gate, const LatencyTerm& term, const exporters::Distribution& values) {
  const std::uint64_t have = values.count() + values.censored();
  const std::uint64_t need = exporters::percentile_floor(term.quantile);
  if (have < need)
    return undecided(fmt::format("needs at least {} {} values, has {}; run longer or gate a lower percentile", need,
                                 label(term.metric), have));
  const auto value = values.percentile_ms(term.quantile);
  return value ? decided(gate, *value) : beyond(gate, values);
}

/// Of a mean over values of which some are only known to be larger, the lower bound decides or nothing does.
Finding check_mean(const Gate& gate, const exporters::Distribution& values) {
  if (values.censored() == 0) return decided(gate, values.mean_ms());
  const auto measured = static_cast<double>(values.count());
  const auto cut = static_cast<double>(values.censored());
  const double at_least =
      (values.mean_ms() * measured + values.censored_above_ms().value_or(0) * cut) / (measured + cut);
  const std::string note =
      fmt::format("{} requests were cut by a timeout; the mean is at least {:.6g} ms", values.censored(), at_least);
  if (holds(at_least, gate) == wants_small(gate.comparison)) return undecided(note);
  return {wants_small(gate.comparison) ? Status::fail : Status::pass, at_least, note};
}

Finding check_latency(const Gate& gate, const LatencyTerm& term, LoopKind loop, const GateScope& scope) {
  const exporters::Distribution& values = (*scope.tally)[term.metric];
  if (loop == LoopKind::closed && is_sched(term.metric))
    return undecided(fmt::format("{} exists only in open loop (--rate)", label(term.metric)));
  const bool per_token = term.metric == Metric::itl || term.metric == Metric::tpot;
  const std::uint64_t guessed = scope.tally->token_sources[static_cast<std::size_t>(TokenSource::chunks)];
  if (per_token && guessed > 0)
    return undecided(fmt::format("{} requests count chunks as tokens; a gate on {} needs counts from the server",
                                 guessed, label(term.metric)));
  if (values.count() + values.censored() == 0)
    return undecided(fmt::format("no value of {} in this run", label(term.metric)));

  switch (term.statistic) {
    case LatencyTerm::Statistic::percentile:
      return check_percentile(gate, term, values);
    case LatencyTerm::Statistic::mean:
      return check_mean(gate, values);
    case LatencyTerm::Statistic::min:
      return values.count() > 0 ? decided(gate, values.min_ms()) : beyond(gate, values);
    case LatencyTerm::Statistic::max:
      return values.censored() == 0 ? decided(gate, values.max_ms()) : beyond(gate, values);
  }
  return undecided("unknown statistic");
}

Finding check_scalar(const Gate& gate, Scalar scalar, const Slice& slice) {
  if (slice.counts.ok + slice.counts.failed == 0) return undecided("no measured request ended");
  switch (scalar) {
    case Scalar::error_rate:
      return decided(gate, slice.rates.error_rate.value_or(0));
    case Scalar::qps:
      return decided(gate, slice.rates.request_throughput);
    case Scalar::output_token_throughput:
      return decided(gate, slice.rates.output_token_throughput);
    case Scalar::concurrency_mean:
      return decided(gate, slice.rates.concurrency_mean);
    case Scalar::errors:
      return decided(gate, static_cast<double>(slice.counts.failed));
    case Scalar::osl_mismatch:
      if (!slice.rates.osl_mismatch) return undecided("no answer whose length could be compared");
      return decided(gate, *slice.rates.osl_mismatch);
  }
  return undecided("unknown quantity");
}

}  // namespace

bool wants_small(Gate::Comparison comparison) noexcept {
  return comparison == Gate::Comparison::less || comparison == Gate::Comparison::less_equal;
}

bool holds(double value, const Gate& gate) noexcept {
  switch (gate.comparison) {
    case Gate::Comparison::less:
      return value < gate.limit;
    case Gate::Comparison::less_equal:
      return value <= gate.limit;
    case Gate::Comparison::greater:
      return value > gate.limit;
    case Gate::Comparison::greater_equal:
      return value >= gate.limit;
  }
  return false;
}

std::string anchor_warning(const Gate& gate, LoopKind loop) {
  const auto* term = std::get_if<LatencyTerm>(&gate.term);
  if (loop == LoopKind::closed || term == nullptr) return "";
  if (term->metric == Metric::ttft) return "counts from the send; in open loop ttft_sched is what users feel";
  if (term->metric == Metric::e2e) return "counts from the send; in open loop e2e_sched is what users feel";
  return "";
}

GateResult check_gate(const Gate& gate, LoopKind loop, const std::vector<GateScope>& scopes) {
  const auto scope = std::find_if(scopes.begin(), scopes.end(), [&](const auto& s) { return s.name == gate.entry; });
  Finding finding = undecided(fmt::format("there is no mix entry '{}'", gate.entry));
  if (scope != scopes.end()) {
    const auto* term = std::get_if<LatencyTerm>(&gate.term);
    finding = term != nullptr ? check_latency(gate, *term, loop, *scope)
                              : check_scalar(gate, std::get<Scalar>(gate.term), *scope->slice);
  }
  const std::string warning = anchor_warning(gate, loop);
  if (!warning.empty()) finding.note += (finding.note.empty() ? "" : "; ") + warning;
  const bool is_latency = std::holds_alternative<LatencyTerm>(gate.term);
  return {finding.status, gate.text, finding.value, finding.note, is_latency ? "ms" : ""};
}

Verdict combine(const std::vector<GateResult>& gates) {
  if (gates.empty()) return Verdict::none;
  const auto any = [&](Status status) {
    return std::any_of(gates.begin(), gates.end(), [status](const GateResult& g) { return g.status == status; });
  };
  if (any(Status::fail)) return Verdict::fail;
  return any(Status::inconclusive) ? Verdict::inconclusive : Verdict::pass;
}

}  // namespace loadgen
