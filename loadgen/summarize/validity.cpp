#include "loadgen/summarize/validity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace loadgen {
namespace {

/// Largest values that are still VALID and still SUSPECT; above the second one the run is INVALID.
struct Limits {
  double valid = 0;
  double suspect = 0;
};

Health judge(double value, Limits limits) {
  if (value <= limits.valid) return Health::valid;
  return value <= limits.suspect ? Health::suspect : Health::invalid;
}

std::string percent(double share) {
  return fmt::format("{:.3g} %", share * 100);
}
std::string milliseconds(double ms) {
  return fmt::format("{:.4g} ms", ms);
}

/// Collects the rows; a row that is not valid brings its sentence.
class Table {
 public:
  void add(HealthCheck check, const std::string& reason) {
    if (check.status != Health::valid) validity_.reasons.push_back(reason);
    validity_.status = std::max(validity_.status, check.status);
    validity_.checks.push_back(std::move(check));
  }

  /// A share or a time that must stay low; `what_to_do` ends the sentence.
  void add_limited(const std::string& name, double value, Limits limits, std::string (*show)(double),
                   const std::string& what_to_do) {
    HealthCheck check{name, show(value), fmt::format("≤ {}, suspect ≤ {}", show(limits.valid), show(limits.suspect)),
                      value, judge(value, limits)};
    add(check, fmt::format("{} is {} (limit {}): {}", name, check.measured, show(limits.valid), what_to_do));
  }

  void add_unmeasured(const std::string& name, const std::string& limits) {
    validity_.checks.push_back({name, "not measured", limits, std::nullopt, Health::valid});
  }

  /// A count that must be zero.
  void add_zero(const std::string& name, std::uint64_t count, const std::string& what_to_do) {
    add({name, std::to_string(count), "0", static_cast<double>(count), count == 0 ? Health::valid : Health::invalid},
        fmt::format("{} requests were {}: {}", count, name, what_to_do));
  }

  Validity take() { return std::move(validity_); }

 private:
  Validity validity_;
};

void check_lateness(Table& table, const EntryTally& all) {
  const auto p99 = all[Metric::lateness].percentile_ms(0.99);
  if (!p99) return table.add_unmeasured("lateness_p99", "≤ max(1 ms, 1 % of TTFT p50)");
  const double limit = std::max(1.0, 0.01 * all[Metric::ttft].percentile_ms(0.5).value_or(0));
  table.add_limited("lateness_p99", *p99, {limit, 5 * limit}, milliseconds,
                    "requests left later than planned; use more threads, a lower rate or a quieter machine");
}

void check_offered_rate(Table& table, const RunTotals& totals, const EntryTally& all) {
  const auto planned = static_cast<double>(totals.facts.planned_in_window);
  const auto offered = static_cast<double>(all.offered_in_window);
  const std::string limits = "within 1 % of the plan, suspect within 3 %";
  if (planned <= 0) return table.add_unmeasured("offered_rate", limits);
  const double off = std::abs(offered - planned) / planned;
  table.add({"offered_rate", fmt::format("{:.0f} of {:.0f} planned", offered, planned), limits, offered / planned,
             judge(off, {0.01, 0.03})},
            fmt::format("offered_rate is {} off the plan ({:.0f} of {:.0f} requests): the load was not the planned one",
                        percent(off), offered, planned));
}

/// Due in the window and sent in it. One request that crosses its edge is no matter, and what could not be sent because
/// the target took no connection is not the generator's doing.
void check_achieved_rate(Table& table, const RunTotals& totals, const EntryTally& all) {
  const auto planned = static_cast<double>(totals.facts.planned_in_window);
  const auto achieved = static_cast<double>(all.achieved_in_window + all.ended_in(Phase::measure, Outcome::connect) +
                                            all.ended_in(Phase::measure, Outcome::timeout_connect));
  const std::string limits = "within 1 % of the plan and a request, suspect within 3 %";
  if (planned <= 0) return table.add_unmeasured("achieved_rate", limits);
  const double off = std::max(0.0, std::abs(achieved - planned) - 1) / planned;
  table.add({"achieved_rate", fmt::format("{:.0f} sent, {:.0f} planned", achieved, planned), limits, achieved / planned,
             judge(off, {0.01, 0.03})},
            fmt::format("achieved_rate is {} off the plan ({:.0f} of {:.0f} requests were sent in the window): the "
                        "generator fell behind or caught up; use more threads, shards or a lower rate",
                        percent(off), achieved, planned));
}

std::uint64_t in_all_phases(const EntryTally& all, Outcome outcome) {
  return all.ended_in(Phase::warmup, outcome) + all.ended_in(Phase::measure, outcome) +
         all.ended_in(Phase::drain, outcome);
}

void check_resources(Table& table, const RunTotals& totals, const EntryTally& all) {
  table.add_zero("dropped", in_all_phases(all, Outcome::dropped),
                 "they were due and never sent; lower the rate or raise the limits of this machine");
  table.add_zero("client_resource", in_all_phases(all, Outcome::client_resource),
                 "this machine ran out of ports or descriptors; raise `ulimit -n` or the local port range");
  if (totals.facts.max_thread_cpu_share > 0) {
    table.add_limited("io_cpu", totals.facts.max_thread_cpu_share, {0.7, 0.9}, percent,
                      "the busiest I/O thread had too little time left; use more threads or a lower load");
  } else {
    table.add_unmeasured("io_cpu", "≤ 70 %, suspect ≤ 90 %");
  }
}

/// Is a late thread visible in the numbers? Where the kernel stamps what is received, a late read moves no stamp: it
/// only makes the next send of a closed loop late, and the sends of an open one are judged by `lateness`.
void check_threads(Table& table, const GeneratorHealth& health) {
  constexpr Limits where_reads_are_stamps = {1.0, 5.0};
  constexpr Limits where_the_kernel_stamps = {5.0, 25.0};
  constexpr double nearly_all = 0.99;
  const auto stamped = static_cast<double>(health.recv_delay.count());
  const double reads = stamped + static_cast<double>(health.unstamped_reads);
  const bool by_kernel = reads > 0 && stamped >= nearly_all * reads;
  const Limits limits = by_kernel ? where_the_kernel_stamps : where_reads_are_stamps;
  const std::string unmeasured = fmt::format("≤ {:g} ms, suspect ≤ {:g} ms", limits.valid, limits.suspect);
  if (const auto lag = health.loop_lag.percentile_ms(0.99)) {
    table.add_limited("loop_lag_p99", *lag, limits, milliseconds,
                      "the event loops woke up late; stop other programs on this machine or use more threads");
  } else {
    table.add_unmeasured("loop_lag_p99", unmeasured);
  }
  if (const auto delay = health.recv_delay.percentile_ms(0.99)) {
    table.add_limited("recv_delay_p99", *delay, where_the_kernel_stamps, milliseconds,
                      "what had arrived was read late; use more threads, a lower load or a quieter machine");
  } else {
    table.add_unmeasured("recv_delay_p99", "≤ 5 ms, suspect ≤ 25 ms, where the kernel stamps");
  }
}

/// What lies between the stamp of a send and the kernel having it is in every latency, whoever caused it.
void check_writes(Table& table, const GeneratorHealth& health) {
  if (const auto delay = health.write_delay.percentile_ms(0.99)) {
    table.add_limited("write_delay_p99", *delay, {1.0, 5.0}, milliseconds,
                      "requests were stamped and then written late; stop other programs on this machine or use more "
                      "threads");
  } else {
    table.add_unmeasured("write_delay_p99", "≤ 1 ms, suspect ≤ 5 ms");
  }
}

double share_of(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

void check_streams(Table& table, const EntryTally& all) {
  // Where events carry several tokens each, sharing a read says nothing about gaps between tokens.
  const bool one_token_each = share_of(all.output_tokens, all.token_events) <= 1.05;
  if (all.token_events > 0 && one_token_each) {
    table.add_limited(
        "coalesced_events", share_of(all.coalesced_events, all.token_events), {0.05, 0.20}, percent,
        "token events shared a read; the tail of the gaps shows the network or the reader, not the server");
  }
  if (all.streamed > 0) {
    table.add_limited("unstreamed", share_of(all.unstreamed, all.streamed), {0.01, 0.10}, percent,
                      "streams brought all tokens in one event; the server or a proxy buffers, so TTFT is not a TTFT");
  }
}

void check_token_source(Table& table, const EntryTally& all) {
  const auto count_of = [&all](TokenSource source) { return all.token_sources[static_cast<std::size_t>(source)]; };
  std::uint64_t total = 0;
  for (const std::uint64_t count : all.token_sources) total += count;
  if (total == 0) return;
  const double guessed = share_of(count_of(TokenSource::chunks), total);
  const double unknown = share_of(count_of(TokenSource::none), total);
  const double encoded = share_of(count_of(TokenSource::tokenizer), total);
  const double told = 1 - guessed - unknown - encoded;
  const Health status = guessed > 0 ? Health::invalid : unknown + encoded > 0 ? Health::suspect : Health::valid;
  const std::string why =
      guessed > 0 ? fmt::format(
                        "token_source: {} of the requests count chunks as tokens; let the server report usage, or "
                        "name its tokenizer with --tokenizer",
                        percent(guessed))
      : unknown > 0
          ? fmt::format("token_source: {} of the requests have no token count; token rates miss them", percent(unknown))
          : fmt::format(
                "token_source: the tokens of {} of the requests were counted here by the tokenizer, not by the "
                "server; a few per answer may differ",
                percent(encoded));
  table.add({"token_source", fmt::format("{} from the server", percent(told)), "all from the server", told, status},
            why);
}

/// By rule: was the load steady when warm-up ended? With a length given by the user: is there a trend in the window?
void check_warmup(Table& table, const Scenario& scenario, const RunTotals& totals, const Steadiness& steadiness) {
  if (!scenario.warmup) {
    table.add({"warmup_steady", totals.facts.warmup_steady ? "steady" : "not steady", "steady before the window",
               std::nullopt, totals.facts.warmup_steady ? Health::valid : Health::suspect},
              "warmup_steady: the load was still changing when warm-up reached its limit; give a longer --warmup");
    return;
  }
  const std::string limits = "no trend in TTFT or concurrency";
  if (!steadiness.concurrency && !steadiness.ttft) return table.add_unmeasured("warmup_steady", limits);
  std::string found;
  if (steadiness.ttft_moves()) found = fmt::format("TTFT moved by {:+.3g} ms", steadiness.ttft->change);
  if (steadiness.concurrency_moves())
    found += fmt::format("{}concurrency moved by {:+.3g}", found.empty() ? "" : ", ", steadiness.concurrency->change);
  table.add({"warmup_steady", found.empty() ? "no trend" : found, limits, std::nullopt,
             found.empty() ? Health::valid : Health::suspect},
            fmt::format("warmup_steady: {} over the window; warm up longer or lower the load", found));
}

void check_successes(Table& table, const EntryTally& all) {
  const std::uint64_t ok = all.ended_in(Phase::measure, Outcome::ok);
  table.add({"successes", std::to_string(ok), "> 0", static_cast<double>(ok), ok > 0 ? Health::valid : Health::suspect},
            "successes: not one measured request succeeded, so there is no valid latency; see the errors");
}

}  // namespace

Validity judge_validity(const Scenario& scenario, const RunTotals& totals, const EntryTally& all,
                        const Steadiness& steadiness) {
  Table table;
  if (is_open_loop(scenario)) {
    check_lateness(table, all);
    check_offered_rate(table, totals, all);
    check_achieved_rate(table, totals, all);
  }
  check_resources(table, totals, all);
  check_threads(table, totals.health);
  check_writes(table, totals.health);
  check_streams(table, all);
  check_token_source(table, all);
  check_warmup(table, scenario, totals, steadiness);
  check_successes(table, all);
  return table.take();
}

}  // namespace loadgen
