// Summary -> summary.json, the file that scripts and CI read. docs/summary-json.md describes every member.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "loadgen/plan/scenario.hpp"
#include "loadgen/summarize/summary.hpp"

namespace loadgen {

/// The document, members in their fixed order. `files` are the names in the run directory. Header values of the
/// scenario are never part of it: they may be credentials.
nlohmann::ordered_json summary_document(const Scenario& scenario, const Summary& summary,
                                        const std::vector<std::string>& files);

/// As text: indented by two, doubles in their shortest form, bytes that are not UTF-8 replaced, one line feed at the
/// end.
std::string render_json(const nlohmann::ordered_json& document);
/// The same on one line, without the line feed.
std::string render_json_line(const nlohmann::ordered_json& document);

/// The fixed words of summary.json: pass, fail, inconclusive, none; VALID, SUSPECT, INVALID.
const char* label(Verdict verdict) noexcept;
const char* label(Health health) noexcept;
const char* label(GateResult::Status status) noexcept;

}  // namespace loadgen
