// What to look at besides the requests themselves: the `observe` field of a scenario.
#pragma once

#include "loadgen/plan/object_reader.hpp"
#include "loadgen/plan/scenario.hpp"

namespace loadgen {

/// `observe` of the scenario. Call it once the mix has been read: `target` stands for the pages of its targets.
Observe read_observe(const Document& document, const ObjectReader& reader, const Scenario& scenario,
                     ScenarioErrors& errors);

/// `http://HOST[:PORT][/PATH]`, /metrics where there is no path. The error says what is right.
Result<MetricsPage, std::string> parse_metrics_page(std::string_view url);

}  // namespace loadgen
