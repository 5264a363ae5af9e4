// Adding and emptying. Every field of a tally is a sum, a distribution or an extreme, so order does not matter.
#include "loadgen/record/interval.hpp"

#include <algorithm>

namespace loadgen {
namespace {

void add_all(std::map<std::string, std::uint64_t>& into, const std::map<std::string, std::uint64_t>& from) {
  for (const auto& [key, count] : from) into[key] += count;
}

std::int64_t earliest(std::int64_t a, std::int64_t b) noexcept {
  return a == 0 ? b : b == 0 ? a : std::min(a, b);
}

}  // namespace

void EntryTally::add(const EntryTally& other) {
  for (std::size_t p = 0; p < phase_count; ++p) {
    for (std::size_t o = 0; o < outcome_count; ++o) ended[p][o] += other.ended[p][o];
  }
  for (std::size_t m = 0; m < metric_count; ++m) latency[m].add(other.latency[m]);
  started += other.started;
  in_flight += other.in_flight;
  for (std::size_t s = 0; s < token_source_count; ++s) token_sources[s] += other.token_sources[s];
  output_tokens += other.output_tokens;
  input_tokens += other.input_tokens;
  wasted_tokens += other.wasted_tokens;
  requested_tokens += other.requested_tokens;
  osl_mismatches += other.osl_mismatches;
  unstreamed += other.unstreamed;
  streamed += other.streamed;
  token_events += other.token_events;
  coalesced_events += other.coalesced_events;
  add_all(finish_reasons, other.finish_reasons);
  add_all(error_messages, other.error_messages);
  completed_in_window += other.completed_in_window;
  output_tokens_in_window += other.output_tokens_in_window;
  input_tokens_in_window += other.input_tokens_in_window;
  offered_in_window += other.offered_in_window;
  achieved_in_window += other.achieved_in_window;
  overlap_ns += other.overlap_ns;
  all_output_tokens += other.all_output_tokens;
  first_send_ns = earliest(first_send_ns, other.first_send_ns);
  last_token_ns = std::max(last_token_ns, other.last_token_ns);
}

void EntryTally::reset() {
  for (auto& distribution : latency) distribution.reset();
  auto kept = std::move(latency);  // their memory is what is worth keeping
  *this = EntryTally{};
  latency = std::move(kept);
}

void Interval::add(const Interval& other) {
  if (entries.size() < other.entries.size()) entries.resize(other.entries.size());
  for (std::size_t i = 0; i < other.entries.size(); ++i) entries[i].add(other.entries[i]);
  rows.insert(rows.end(), other.rows.begin(), other.rows.end());
  health.loop_lag.add(other.health.loop_lag);
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
  health.loop_lag.reset();
  health.cpu_ns = health.wall_ns = 0;
  health.in_flight = health.max_in_flight = 0;
  health.sent = health.tokens = 0;
}

}  // namespace loadgen
