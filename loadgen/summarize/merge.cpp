// Checks that belong before adding, adding, and what only shows when shards stand side by side.
#include "loadgen/summarize/merge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <map>
#include <nlohmann/json.hpp>

#include "loadgen/summarize/merge_observations.hpp"

namespace loadgen {
namespace {

constexpr std::int64_t skew_limit_ns = 100'000'000;
constexpr std::int64_t clock_error_limit_us = 100'000;

Health health_from(const std::string& word) {
  return word == "VALID" ? Health::valid : word == "SUSPECT" ? Health::suspect : Health::invalid;
}

/// The first member in which two scenarios differ, as `load.rate: 10 and 20`.
std::string first_difference(const ShardResult& a, const ShardResult& b) {
  using Json = nlohmann::ordered_json;
  const Json one = Json::parse(a.scenario_document, nullptr, false);
  const Json two = Json::parse(b.scenario_document, nullptr, false);
  if (one.is_object() && two.is_object()) {
    for (const auto& [key, value] : one.items()) {
      if (key == "source") continue;
      const Json other = two.contains(key) ? two[key] : Json();
      if (value != other) return fmt::format("{}: {} and {}", key, value.dump(), other.dump()).substr(0, 300);
    }
  }
  return "their prompts or gates";
}

/// Why two shards are not of one run; empty: they are.
std::string mismatch(const ShardResult& a, const ShardResult& b) {
  const RunFacts& x = a.totals.facts;
  const RunFacts& y = b.totals.facts;
  if (a.version != b.version) return fmt::format("program versions {} and {}", a.version, b.version);
  if (x.shards != y.shards) return fmt::format("shards of {} and of {}", x.shards, y.shards);
  if (a.plan_hash == b.plan_hash) return "";
  if (x.start_at_ns != y.start_at_ns)
    return fmt::format("starts at {} and {}", x.start_at_ns.value_or(0) / 1'000'000'000,
                       y.start_at_ns.value_or(0) / 1'000'000'000);
  return first_difference(a, b);
}

/// Puts the stamps of another machine onto the clock of the first one: the plan begins at the same instant on both.
void shift(RunTotals& totals, std::int64_t by_ns) {
  RunFacts& facts = totals.facts;
  for (std::int64_t* stamp : {&facts.mono_start_ns, &facts.mono_end_ns, &facts.window.begin_ns, &facts.window.end_ns})
    *stamp += by_ns;
  for (SeriesPoint& point : totals.series) point.begin_ns += by_ns;
  for (EntryTally& entry : totals.entries) {
    if (entry.first_send_ns != 0) entry.first_send_ns += by_ns;
    if (entry.last_token_ns != 0) entry.last_token_ns += by_ns;
  }
}

void shift(Observations& observations, std::int64_t by_ns) {
  for (SourceLog& source : observations.sources)
    for (std::int64_t& stamp : source.failed_at_ns) stamp += by_ns;
  for (SampleSeries& series : observations.series)
    for (Reading& reading : series.readings) reading.at_ns += by_ns;
}

void add_facts(RunFacts& sum, const RunFacts& facts) {
  sum.window.end_ns = std::max(sum.window.end_ns, facts.window.end_ns);
  sum.mono_end_ns = std::max(sum.mono_end_ns, facts.mono_end_ns);
  sum.threads += facts.threads;
  sum.interrupted = sum.interrupted || facts.interrupted;
  sum.warmup_steady = sum.warmup_steady && facts.warmup_steady;
  sum.max_thread_cpu_share = std::max(sum.max_thread_cpu_share, facts.max_thread_cpu_share);
  sum.clock_error_ns = std::max(sum.clock_error_ns, facts.clock_error_ns);
  sum.clock_steps += facts.clock_steps;
  sum.planned_in_window += facts.planned_in_window;
  if (std::abs(facts.start_error_ns) > std::abs(sum.start_error_ns)) sum.start_error_ns = facts.start_error_ns;
  if (sum.server_version.empty()) sum.server_version = facts.server_version;
}

/// Rows are numbered from the common start, so equal begins are the same row. Where one shard's row begins within
/// another's (a window that ended with its last answer), it belongs to that.
void add_series(std::vector<SeriesPoint>& sum, const std::vector<SeriesPoint>& series) {
  std::map<std::int64_t, SeriesPoint> rows;
  for (const SeriesPoint& point : sum) rows[point.begin_ns] = point;
  for (const SeriesPoint& point : series) {
    auto row = rows.upper_bound(point.begin_ns);
    const bool within =
        row != rows.begin() &&
        point.begin_ns < std::prev(row)->first + static_cast<std::int64_t>(std::prev(row)->second.length_s * 1e9);
    const bool same = row != rows.begin() && std::prev(row)->first == point.begin_ns;
    if (!within && !same) {
      rows[point.begin_ns] = point;
      continue;
    }
    SeriesPoint& into = std::prev(row)->second;
    into.length_s = std::max(into.length_s, point.length_s);
    into.sent += point.sent;
    into.ok += point.ok;
    into.failed += point.failed;
    into.tokens += point.tokens;
    into.in_flight += point.in_flight;
  }
  sum.clear();
  for (const auto& [begin, point] : rows) sum.push_back(point);
}

void add_totals(RunTotals& sum, const RunTotals& totals) {
  if (sum.entries.size() < totals.entries.size()) sum.entries.resize(totals.entries.size());
  for (std::size_t i = 0; i < totals.entries.size(); ++i) sum.entries[i].add(totals.entries[i]);
  sum.health.add_distributions(totals.health);
  sum.health.cpu_ns = std::max(sum.health.cpu_ns, totals.health.cpu_ns);
  sum.health.wall_ns = std::max(sum.health.wall_ns, totals.health.wall_ns);
  sum.health.in_flight += totals.health.in_flight;
  sum.health.max_in_flight += totals.health.max_in_flight;
  sum.health.sent += totals.health.sent;
  sum.health.tokens += totals.health.tokens;
  add_facts(sum.facts, totals.facts);
  add_series(sum.series, totals.series);
}

std::uint64_t measured_by(const ShardResult& shard) {
  std::uint64_t measured = 0;
  for (const EntryTally& entry : shard.totals.entries)
    for (const std::uint64_t count : entry.ended[static_cast<std::size_t>(Phase::measure)]) measured += count;
  return measured;
}

ShardNote note_of(const ShardResult& shard) {
  ShardNote note;
  note.index = shard.totals.facts.shard;
  note.status = shard.is_complete ? "complete" : "truncated";
  note.host = shard.host;
  note.directory = shard.directory;
  note.validity = health_from(shard.validity);
  note.measured = measured_by(shard);
  note.start_error_ms = static_cast<double>(shard.totals.facts.start_error_ns) * 1e-6;
  note.lateness_p99_ms = over_entries(shard.totals.entries, Metric::lateness).percentile_ms(0.99);
  return note;
}

void add_reason(MergedRun& run, Health health, std::string reason) {
  run.worst = std::max(run.worst, health);
  run.reasons.push_back(std::move(reason));
}

/// A shard that was late taints the whole; its own sentence says how.
void judge_shard(MergedRun& run, const ShardResult& shard) {
  const std::uint32_t index = shard.totals.facts.shard;
  const Health health = health_from(shard.validity);
  if (health != Health::valid) run.worst = std::max(run.worst, health);
  for (const std::string& reason : shard.reasons)
    run.reasons.push_back(fmt::format("shard {} on {}: {}", index, shard.host, reason));
  if (!shard.clock.is_synchronised || shard.clock.max_error_us > clock_error_limit_us)
    run.warnings.push_back(
        fmt::format("shard {} on {}: the clock is not synchronised (its kernel allows {} ms); starts "
                    "may differ by that, latencies do not depend on it",
                    index, shard.host, shard.clock.max_error_us / 1000));
  if (shard.has_lost_records)
    run.degraded.push_back(fmt::format("shard {} on {} could not store all of its records", index, shard.host));
  if (!shard.is_complete)
    run.degraded.push_back(
        fmt::format("shard {} on {} was cut off {:.0f} s into the plan", index, shard.host,
                    static_cast<double>(shard.totals.facts.mono_end_ns - shard.totals.facts.mono_start_ns) * 1e-9));
}

void judge_starts(MergedRun& run, const std::vector<ShardResult>& shards) {
  const auto by_error = [](const ShardResult& a, const ShardResult& b) {
    return a.totals.facts.start_error_ns < b.totals.facts.start_error_ns;
  };
  const auto [first, last] = std::minmax_element(shards.begin(), shards.end(), by_error);
  const std::int64_t skew = last->totals.facts.start_error_ns - first->totals.facts.start_error_ns;
  if (skew <= skew_limit_ns) return;
  add_reason(
      run, Health::suspect,
      fmt::format("start_skew: shard {} began {:.0f} ms before shard {}; the load was not the planned one at its "
                  "edges, set the clocks of these machines",
                  first->totals.facts.shard, static_cast<double>(skew) * 1e-6, last->totals.facts.shard));
}

/// One result per shard, in order; what is said of the others goes into `run`.
std::vector<ShardResult> one_each(std::vector<ShardResult> shards, MergedRun& run) {
  // A complete result goes before a part of one; then by nonce, so that the order of the arguments does not matter.
  std::sort(shards.begin(), shards.end(), [](const ShardResult& a, const ShardResult& b) {
    if (a.totals.facts.shard != b.totals.facts.shard) return a.totals.facts.shard < b.totals.facts.shard;
    if (a.is_complete != b.is_complete) return a.is_complete;
    return a.nonce < b.nonce;
  });
  std::vector<ShardResult> kept;
  for (ShardResult& shard : shards) {
    if (kept.empty() || kept.back().totals.facts.shard != shard.totals.facts.shard) {
      kept.push_back(std::move(shard));
    } else if (kept.back().nonce == shard.nonce) {
      run.warnings.push_back(
          fmt::format("{} and {} are copies of one result; it counts once", kept.back().directory, shard.directory));
    } else {
      add_reason(run, Health::suspect,
                 fmt::format("duplicate_attempt: shard {} ran twice ({} counts, {} does not): the target got that load "
                             "more than once",
                             shard.totals.facts.shard, kept.back().directory, shard.directory));
    }
  }
  return kept;
}

void note_missing(MergedRun& run, std::uint32_t count) {
  std::vector<ShardNote> notes;
  std::string missing;
  for (std::uint32_t index = 0; index < count; ++index) {
    const auto found =
        std::find_if(run.notes.begin(), run.notes.end(), [&](const auto& n) { return n.index == index; });
    if (found != run.notes.end()) {
      notes.push_back(*found);
      continue;
    }
    ShardNote note;
    note.index = index;
    note.status = "missing";
    notes.push_back(note);
    missing += fmt::format("{}{}", missing.empty() ? "" : ", ", index);
  }
  run.notes = std::move(notes);
  if (!missing.empty())
    run.degraded.push_back(
        fmt::format("shards {} of {} are missing: what they sent did reach the target and is not in "
                    "these figures",
                    missing, count));
}

}  // namespace

Result<MergedRun, std::string> merge_shards(std::vector<ShardResult> shards) {
  assert(!shards.empty());
  for (const ShardResult& shard : shards) {
    const std::string why = mismatch(shards.front(), shard);
    if (why.empty()) continue;
    return {boost::system::in_place_error,
            fmt::format("{} and {} are not of one run: {}", shards.front().directory, shard.directory, why)};
  }
  MergedRun run;
  std::vector<ShardResult> kept = one_each(std::move(shards), run);
  judge_starts(run, kept);
  const std::int64_t start_ns = kept.front().totals.facts.mono_start_ns;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    run.notes.push_back(note_of(kept[i]));
    judge_shard(run, kept[i]);
    const std::int64_t by_ns = start_ns - kept[i].totals.facts.mono_start_ns;
    shift(kept[i].totals, by_ns);
    shift(kept[i].observations, by_ns);
    if (i == 0) {
      run.totals = kept[i].totals;
    } else {
      add_totals(run.totals, kept[i].totals);
    }
  }
  run.observations = merge_observations(kept);
  note_missing(run, run.totals.facts.shards);
  run.totals.settle();
  return run;
}

Summary summarize_merged(const Scenario& scenario, const MergedRun& merged, const HostFacts& host, Degraded degraded) {
  Summary summary = summarize(scenario, merged.totals, host, merged.observations);
  summary.shards = merged.notes;
  summary.degraded = merged.degraded;
  summary.validity.status = std::max(summary.validity.status, merged.worst);
  summary.validity.reasons.insert(summary.validity.reasons.end(), merged.reasons.begin(), merged.reasons.end());
  summary.warnings.insert(summary.warnings.end(), merged.warnings.begin(), merged.warnings.end());
  for (const std::string& why : merged.degraded) summary.warnings.push_back("degraded: " + why);
  if (merged.degraded.empty() || summary.gates.empty()) return summary;
  if (degraded == Degraded::judge) {
    summary.warnings.push_back("gates were judged on the shards that are there, as --allow-degraded asks");
    return summary;
  }
  for (GateResult& gate : summary.gates) {
    gate.status = GateResult::Status::inconclusive;
    gate.note = "part of the plan is missing; --allow-degraded judges what is there";
  }
  summary.verdict = Verdict::inconclusive;
  return summary;
}

}  // namespace loadgen
