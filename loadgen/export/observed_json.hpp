// What was observed, as JSON: the member `observed` of summary.json, and the lines that report.html draws.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "loadgen/summarize/observed.hpp"

namespace loadgen {

/// null when no source was named.
nlohmann::ordered_json observed_document(const ObservedSummary& observed);

/// A list of {subject, metric, unit, at, values}, at in seconds from the begin of the window.
nlohmann::ordered_json observed_timelines(const ObservedSummary& observed);

}  // namespace loadgen
