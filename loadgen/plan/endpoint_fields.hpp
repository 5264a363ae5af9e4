// Endpoint templates out of a document: a name of a shipped one, a file beside the scenario, or written in place.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "loadgen/plan/endpoint_template.hpp"
#include "loadgen/plan/object_reader.hpp"

namespace loadgen {

/// `endpoint` of `object`; nothing, with errors, if it is not good. `folder`: where a file may lie; empty: the working
/// folder.
std::shared_ptr<const EndpointTemplate> read_endpoint(const Document& document, const ObjectReader& object,
                                                      const std::filesystem::path& folder, ScenarioErrors& errors);

/// Names of the shipped templates.
const std::vector<std::string_view>& shipped_endpoints();

}  // namespace loadgen
