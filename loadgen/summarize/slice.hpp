// One slice of a run (all of it, or one mix entry) from its tally: counts, rates over the window, metrics in
// milliseconds.
#pragma once

#include "loadgen/summarize/summary.hpp"

namespace loadgen {

/// Percentiles with too few values for them, or that fall among censored values, stay absent.
MetricSummary summarize_metric(const exporters::Distribution& values);

GeneratorSummary summarize_generator(const GeneratorHealth& health);

/// The numbers of one entry. Rates are 0 when the window is empty. What only the whole run knows (planned rate, largest
/// concurrency) is left out.
Slice summarize_entry(const EntryTally& tally, const Window& window);

/// The numbers of the whole run; `all` is the sum of its entries.
Slice summarize_run(const EntryTally& all, const Scenario& scenario, const RunTotals& totals);

}  // namespace loadgen
