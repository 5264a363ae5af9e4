// Readings of GPUs and servers as InfluxDB points: the measurements gpu and llm_server of docs/points.md.
#pragma once

#include <vector>

#include "exporters/sink.hpp"
#include "loadgen/observe/reading.hpp"
#include "loadgen/record/run_totals.hpp"

namespace loadgen {

/// One point per reading, at the time it was read.
void append_observed(exporters::Batch& batch, const RunFacts& facts, const std::vector<SubjectReading>& readings);

}  // namespace loadgen
