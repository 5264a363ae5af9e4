// The table a run ends with on the terminal: counts, rates, latency percentiles per mix entry, gates, validity, files.
#pragma once

#include <string>

#include "loadgen/plan/scenario.hpp"
#include "loadgen/summarize/summary.hpp"

namespace loadgen {

enum class Colour : std::uint8_t { none, ansi };

/// Plain text, lines up to 120 columns, ends with a newline.
std::string render_final_table(const Scenario& scenario, const Summary& summary, Colour colour);

}  // namespace loadgen
