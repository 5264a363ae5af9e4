// The run's intervals as HDR interval logs: run.hlog (whole run) and mix.hlog (per mix entry). Text only.
#pragma once

#include <string>

#include "exporters/sink.hpp"
#include "loadgen/plan/scenario.hpp"
#include "loadgen/record/run_totals.hpp"

namespace loadgen {

/// Lines before the first interval, the same for both files. Times in the files count from the start of warm-up.
std::string hdr_logs_header(const RunFacts& facts);

/// One second as lines of run.hlog: e2e without a tag, and one tag per metric that has values in it.
void append_run_hlog(exporters::Batch& batch, const RunFacts& facts, const Interval& interval);

/// One second as lines of mix.hlog: e2e of all entries without a tag (the Java processor needs an untagged series),
/// then
/// `<entry>:<metric>` for what has values in it.
void append_mix_hlog(exporters::Batch& batch, const Scenario& scenario, const RunFacts& facts,
                     const Interval& interval);

}  // namespace loadgen
