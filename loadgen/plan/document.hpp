// A scenario as a JSON document that remembers where each value was written. YAML and JSON text both become one here,
// flags are laid over it; what the fields mean is decided later. Used inside plan only: it brings the JSON header
// along.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_map>

#include "loadgen/plan/scenario_errors.hpp"
#include "loadgen/result.hpp"

namespace loadgen {

using Json = nlohmann::ordered_json;

struct Document {
  struct Origin {
    int line = 0;      ///< 1-based
    std::string flag;  ///< set instead of the line when a flag gave the value
  };

  Json root = Json::object();
  std::string source;                               ///< the file's name, or "command line"
  std::unordered_map<std::string, Origin> origins;  ///< by JSON pointer

  /// An error about the value at `pointer`, or about its nearest written parent.
  ScenarioError error_at(const std::string& pointer, std::string message) const;
};

/// Limits on what is read; beyond any of them the text is refused.
inline constexpr std::size_t max_document_bytes = 4 * 1024 * 1024;
inline constexpr std::size_t max_document_depth = 12;
inline constexpr std::size_t max_document_values = 100'000;
inline constexpr std::size_t max_document_keys = 256;  ///< in one mapping

/// Reads one YAML 1.2 document, of which JSON is a part. Plain words become null, booleans and numbers as JSON spells
/// them, everything else is text. Refused: what is not UTF-8, control characters, anchors, aliases, tags, keys that are
/// not text, a key given twice, a second document. The one error is the first thing wrong.
Result<Document, ScenarioErrors> read_document(std::string_view text, const std::string& source);

/// The JSON value of an unquoted word: null, boolean, number, otherwise text.
Json plain_value(std::string_view word);

/// `/mix/3/weight` as people write it: `mix[3].weight`.
std::string field_name(std::string_view pointer);

/// `pointer` with one more step; `~` and `/` in a key are escaped as RFC 6901 says.
std::string step(const std::string& pointer, std::string_view key);
std::string step(const std::string& pointer, std::size_t index);

}  // namespace loadgen
