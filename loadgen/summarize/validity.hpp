// Could the generator be trusted in this run? The client-health table: one row per check, a status, reasons in
// sentences.
#pragma once

#include "loadgen/summarize/steadiness.hpp"
#include "loadgen/summarize/summary.hpp"

namespace loadgen {

/// Judges the run; `all` is the sum of its entries. Rows that do not apply (lateness in closed loop, streaming checks
/// when nothing streamed) are left out; rows that could not be measured say so and are VALID.
Validity judge_validity(const Scenario& scenario, const RunTotals& totals, const EntryTally& all,
                        const Steadiness& steadiness);

}  // namespace loadgen
