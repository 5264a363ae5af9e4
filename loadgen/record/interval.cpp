// Adding and emptying. Every field of a tally is a sum, a distribution or an extreme, so order does not matter.
#include "loadgen/record/interval.hpp"

#include <algorithm>
#include <iterator>

namespace loadgen {
namespace {

void add_all(std::map<std::string, std::uint64_t>& into, const std::map<std::string, std::uint64_t>& from) {
  for (const auto& [key, count] : from) into[key] += count;
}

std::int64_t earliest(std::int64_t a, std::int64_t b) noexcept {
  return a == 0 ? b : b == 0 ? a : std::min(a, b);
}

/// The fields of a tally that are plain sums.
constexpr std::uint64_t EntryTally::*sums[] = {
    &EntryTally::started,
    &EntryTally::output_tokens,
    &EntryTally::input_tokens,
    &EntryTally::requested_input_tokens,
    &EntryTally::told_input_tokens,
    &EntryTally::wasted_tokens,
    &EntryTally::requested_tokens,
    &EntryTally::osl_mismatches,
    &EntryTally::unstreamed,
    &EntryTally::streamed,
    &EntryTally::token_events,
    &EntryTally::coalesced_events,
    &EntryTally::index_breaks,
    &EntryTally::completed_in_window,
    &EntryTally::output_tokens_in_window,
    &EntryTally::offered_in_window,
    &EntryTally::achieved_in_window,
    &EntryTally::all_output_tokens,
    &EntryTally::all_input_tokens,
};

}  // namespace

void EntryTally::add(const EntryTally& other) {
  for (const auto sum : sums) this->*sum += other.*sum;
  for (std::size_t p = 0; p < phase_count; ++p) {
    for (std::size_t o = 0; o < outcome_count; ++o) ended[p][o] += other.ended[p][o];
  }
  for (std::size_t m = 0; m < metric_count; ++m) latency[m].add(other.latency[m]);
  for (std::size_t s = 0; s < token_source_count; ++s) token_sources[s] += other.token_sources[s];
  in_flight += other.in_flight;
  add_all(finish_reasons, other.finish_reasons);
  add_all(error_messages, other.error_messages);
  input_tokens_in_window += other.input_tokens_in_window;
  overlap_ns += other.overlap_ns;
  first_send_ns = earliest(first_send_ns, other.first_send_ns);
  last_token_ns = std::max(last_token_ns, other.last_token_ns);
}

void EntryTally::reset() {
  for (auto& distribution : latency) distribution.reset();
  auto kept = std::move(latency);  // their memory is what is worth keeping
  *this = EntryTally{};
  latency = std::move(kept);
}

exporters::Distribution over_entries(const std::vector<EntryTally>& entries, Metric metric) {
  exporters::Distribution sum;
  for (const EntryTally& entry : entries) sum.add(entry[metric]);
  return sum;
}

void GeneratorHealth::add_distributions(const GeneratorHealth& other) {
  loop_lag.add(other.loop_lag);
  recv_delay.add(other.recv_delay);
  write_delay.add(other.write_delay);
  unstamped_reads += other.unstamped_reads;
}

void Interval::add(Interval&& other) {
  if (entries.size() < other.entries.size()) entries.resize(other.entries.size());
  for (std::size_t i = 0; i < other.entries.size(); ++i) entries[i].add(other.entries[i]);
  if (rows.empty()) {
    rows.swap(other.rows);
  } else {
    rows.insert(rows.end(), std::move_iterator(other.rows.begin()), std::move_iterator(other.rows.end()));
    other.rows.clear();
  }
  slowest.take(other.slowest);
  health.add_distributions(other.health);
  // CPU is judged by the busiest thread.
  if (other.health.cpu_ns > health.cpu_ns) {
    health.cpu_ns = other.health.cpu_ns;
    health.wall_ns = other.health.wall_ns;
  }
  health.in_flight += other.health.in_flight;
  health.max_in_flight += other.health.max_in_flight;
  health.sent += other.health.sent;
  health.tokens += other.health.tokens;
}

void Interval::reset() {
  for (auto& entry : entries) entry.reset();
  rows.clear();
  slowest.reset();
  GeneratorHealth emptied;
  emptied.loop_lag = std::move(health.loop_lag);  // their memory is what is worth keeping
  emptied.recv_delay = std::move(health.recv_delay);
  emptied.write_delay = std::move(health.write_delay);
  emptied.loop_lag.reset();
  emptied.recv_delay.reset();
  emptied.write_delay.reset();
  health = std::move(emptied);
}

}  // namespace loadgen
