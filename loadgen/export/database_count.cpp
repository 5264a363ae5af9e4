#include "loadgen/export/database_count.hpp"

#include <fmt/format.h>

#include <chrono>
#include <string_view>
#include <thread>

#include "loadgen/export/point_schema.hpp"

namespace loadgen {
namespace {

/// What was stored is there at once in v1; others may need a moment.
constexpr int attempts = 4;
constexpr auto pause = std::chrono::milliseconds(500);

exporters::TagValues tags_of(const RunFacts& facts) {
  exporters::TagValues tags = {{"run", facts.run_id}};
  if (facts.shards > 1) tags.emplace_back("shard", std::to_string(facts.shard));
  return tags;
}

}  // namespace

void PointTally::add(const exporters::Batch& batch) {
  std::size_t begin = 0;
  for (const std::size_t end : batch.ends) {
    const std::string_view line = std::string_view(batch.bytes).substr(begin, end - begin);
    const std::string_view name = line.substr(0, line.find_first_of(", "));
    // Points of one measurement come in stretches.
    const auto known = counts_.find(std::string(name));
    ++(known != counts_.end() ? known->second : counts_[std::string(name)]);
    begin = end;
  }
}

DatabaseCount count_in_database(const exporters::InfluxTarget& target, const RunFacts& facts,
                                const exporters::PointCounts& offered, const exporters::SinkAccount& account) {
  std::vector<exporters::CountedField> fields;
  DatabaseCount count;
  for (const auto& [measurement, points] : offered) count.uncounted += points;
  for (const exporters::CountedField& field : counted_fields()) {
    if (!offered.contains(field.measurement)) continue;
    fields.push_back(field);
    count.uncounted -= offered.at(field.measurement);
  }
  for (int attempt = 0; attempt < attempts; ++attempt) {
    if (attempt > 0) std::this_thread::sleep_for(pause);
    const auto found = exporters::ask_counts(target, fields, tags_of(facts));
    if (!found) {
      count.not_counted = found.error();
      return count;
    }
    for (const auto& [measurement, points] : *found)
      count.measurements[measurement] = {offered.at(measurement), points};
    if (count_mismatches(count, account).empty()) break;
  }
  return count;
}

std::vector<std::string> count_mismatches(const DatabaseCount& count, const exporters::SinkAccount& account) {
  std::vector<std::string> mismatches;
  if (!count.not_counted.empty()) return mismatches;
  const bool stored_all = account.stored == account.offered;
  for (const auto& [name, row] : count.measurements) {
    if (row.found > row.offered || (stored_all && row.found < row.offered))
      mismatches.push_back(fmt::format("{}: the database holds {} of {} points offered", name, row.found, row.offered));
  }
  const std::uint64_t found = count.found();
  // What cannot be counted may be among the stored, or not.
  const bool is_short = found + count.uncounted < account.stored;
  if (mismatches.empty() && (is_short || found > account.stored + account.spilled)) {
    for (const auto& [name, row] : count.measurements)
      if (row.found < row.offered)
        mismatches.push_back(
            fmt::format("{}: the database holds {} of {} points offered; {} in all, where {} were stored", name,
                        row.found, row.offered, found, account.stored));
  }
  return mismatches;
}

}  // namespace loadgen
