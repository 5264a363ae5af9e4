// The proof of the account: how many points of each measurement were offered, and how many the database says it holds.
#pragma once

#include <string>
#include <vector>

#include "exporters/influx_query.hpp"
#include "exporters/sink.hpp"
#include "loadgen/record/run_totals.hpp"
#include "loadgen/summarize/summary.hpp"

namespace loadgen {

/// Counts rendered points by measurement.
class PointTally {
 public:
  void add(const exporters::Batch& batch);
  const exporters::PointCounts& counts() const noexcept { return counts_; }

 private:
  exporters::PointCounts counts_;
};

/// Asks the database, a few times if it seems to need a moment, for the points of this run (and shard).
DatabaseCount count_in_database(const exporters::InfluxTarget& target, const RunFacts& facts,
                                const exporters::PointCounts& offered, const exporters::SinkAccount& account);

/// What does not add up, a line each that names a measurement; nothing if all does or nothing was counted. Where every
/// point was stored each measurement must be there to the last point. Where some were refused or spilled it is not
/// known which: then the sum must be there, and no measurement may hold more than was offered. A spilled point may be
/// there as well: its answer was lost.
std::vector<std::string> count_mismatches(const DatabaseCount& count, const exporters::SinkAccount& account);

}  // namespace loadgen
