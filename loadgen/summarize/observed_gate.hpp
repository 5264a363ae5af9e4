// Judges gates over what was observed. A gate whose source is absent, or was not there for enough of the window, is
// inconclusive and never passes.
#pragma once

#include "loadgen/summarize/observed.hpp"
#include "loadgen/summarize/summary.hpp"

namespace loadgen {

/// Without `gpu=` or `model=` a gate must hold for each GPU or model; the value is that of the one nearest to failing.
GateResult check_observed_gate(const Gate& gate, const ObservedTerm& term, const Observations& observations,
                               const Window& window, std::uint64_t output_tokens);

/// Adds what was observed to the judgement of a run: a target's GPU that was held down makes it SUSPECT.
void judge_observed(Validity& validity, const ObservedSummary& observed);

}  // namespace loadgen
