// What report.html draws: the summary, the series over time, and the distribution of each metric, as one JSON document.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "loadgen/plan/scenario.hpp"
#include "loadgen/record/run_totals.hpp"

namespace loadgen {

/// `summary` is summary.json's document. The series has at most `max_points` points: longer runs are drawn in steps of
/// several seconds, rates averaged and percentiles as the largest of the step.
nlohmann::ordered_json report_document(const nlohmann::ordered_json& summary, const Scenario& scenario,
                                       const RunTotals& totals, std::size_t max_points = 900);

/// Percentile curve and histogram of one metric, values in ms; null without values.
nlohmann::ordered_json distribution_document(const exporters::Distribution& values);

}  // namespace loadgen
