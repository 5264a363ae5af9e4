// report.html: one self-contained page about a run, for people. Names and errors come from outside, so the data travels
// as inert JSON and the page inserts it as text.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace loadgen {

/// `report` is report_document(). Needs no other file and no network to be looked at.
std::string render_report(const nlohmann::ordered_json& report);

/// Any JSON text such that it can stand inside a <script> element: `<`, `>` and `&` become escapes.
std::string escape_for_script(const std::string& json);

}  // namespace loadgen
