// The member `load` of a scenario document: closed or open, how much, how it changes over time.
#pragma once

#include <optional>
#include <string_view>

#include "loadgen/plan/document.hpp"
#include "loadgen/plan/object_reader.hpp"
#include "loadgen/plan/scenario.hpp"

namespace loadgen {

/// Validates `load`; nothing, with the errors added, when even its mode is unknown.
std::optional<Load> read_load(const Document& document, const ObjectReader& scenario, ScenarioErrors& errors);

/// `at 10 for 30s, to 100 for 1m` as the list that a file would hold. Nothing when it is not written like that: items
/// between commas, each `at` or `to`, a number, `for`, a duration (judged where the fields are read).
std::optional<Json> stages_from_text(std::string_view text);

}  // namespace loadgen
