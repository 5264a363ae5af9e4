// What the engine side says of itself, as metric families and as JSON. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exporters/metrics/sample.hpp"
#include "refserver/api/engine_state.hpp"
#include "refserver/api/model_info.hpp"

namespace refserver {

/// Families refserver_..., labelled by the models' short names; of one model alone, or of all. Empty while the engine
/// has said nothing.
std::vector<exporters::MetricFamily> make_engine_families(std::span<const ModelInfo> models,
                                                          std::span<const ModelState> states,
                                                          std::optional<std::size_t> only_model);

/// A member of the `models` array of /debug/state, with a comma in front unless it is the first.
void append_model_state(std::string_view name, const ModelState& state, std::string& out);

}  // namespace refserver
