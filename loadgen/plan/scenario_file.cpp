// Text or flags, to document, to scenario.
#include "loadgen/plan/scenario_file.hpp"

#include <utility>

#include "loadgen/plan/document.hpp"
#include "loadgen/plan/scenario_fields.hpp"
#include "loadgen/plan/text_file.hpp"

namespace loadgen {
namespace {

using ScenarioResult = Result<Scenario, ScenarioErrors>;

ScenarioResult failed(ScenarioErrors errors) {
  return {boost::system::in_place_error, std::move(errors)};
}

ScenarioResult validated(const Document& document, const std::filesystem::path& folder, ScenarioErrors errors) {
  Scenario scenario = read_scenario_fields(document, folder, errors);
  if (!errors.empty()) return failed(std::move(errors));
  return {boost::system::in_place_value, std::move(scenario)};
}

}  // namespace

ScenarioResult read_scenario_file(const std::filesystem::path& path, const ScenarioFlags& flags) {
  const TextFile file = read_text_file(path, max_document_bytes);
  if (!file.error.empty()) return failed({{path.string(), 0, "", file.error}});
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  return parse_scenario(file.text, path.string(), folder, flags);
}

ScenarioResult parse_scenario(std::string_view text, const std::string& source, const std::filesystem::path& folder,
                              const ScenarioFlags& flags) {
  auto document = read_document(text, source);
  if (!document) return failed(document.error());
  ScenarioErrors errors;
  override_with_flags(*document, flags, errors);
  return validated(*document, folder, std::move(errors));
}

ScenarioResult scenario_from_flags(const ScenarioFlags& flags) {
  ScenarioErrors errors;
  const Document document = document_from_flags(flags, errors);
  if (!errors.empty()) return failed(std::move(errors));  // what is missing would only be reported once more
  return validated(document, {}, std::move(errors));
}

}  // namespace loadgen
