// One member of the mix, and the defaults it starts from, out of a document.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "loadgen/plan/object_reader.hpp"
#include "loadgen/plan/prompt_fields.hpp"
#include "loadgen/plan/scenario.hpp"

namespace loadgen {

/// What an entry that does not say otherwise gets.
struct EntryDefaults {
  std::optional<Target> target;
  std::optional<Route> route;
  std::shared_ptr<const EndpointTemplate> endpoint;
  std::string host;  ///< instead of the target's
  std::string model;
  std::string tokenizer;
  Headers headers;
  Headers api_key;  ///< of the environment
  Parameters parameters;
  bool has_target = false;  ///< a target was written, right or wrong: entries need not miss it
  bool has_route = false;
  bool has_endpoint = false;
};

/// Target, route or endpoint, model, headers and parameters of the scenario itself.
EntryDefaults read_entry_defaults(const Document& document, const ObjectReader& scenario,
                                  const std::filesystem::path& folder, ScenarioErrors& errors);

/// The entry at `pointer`. `folder` is where a prompts_file may lie; empty: nowhere. `shelf` keeps the tokenizers that
/// were read. Check `errors` before using it.
MixEntry read_mix_entry(const Document& document, const std::string& pointer, const EntryDefaults& defaults,
                        const std::filesystem::path& folder, TokenizerShelf& shelf, ScenarioErrors& errors);

}  // namespace loadgen
