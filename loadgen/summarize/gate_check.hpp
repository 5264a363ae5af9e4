// Judges gates against a finished run: pass, fail or inconclusive, with the value seen. Percentiles with too few
// requests are never judged; requests cut by a timeout count as slower than any limit.
#pragma once

#include <string>
#include <vector>

#include "loadgen/summarize/summary.hpp"

namespace loadgen {

/// What a gate looks at: the tally and the numbers of the run or of one mix entry.
struct GateScope {
  std::string name;  ///< of the mix entry; empty: the whole run
  const EntryTally* tally = nullptr;
  const Slice* slice = nullptr;
};

/// Whether `value` is as the gate asks.
bool holds(double value, const Gate& gate) noexcept;

/// < or <=: small values pass.
bool wants_small(Gate::Comparison comparison) noexcept;

/// Judges a gate on latencies or rates. `scopes` holds the whole run and every entry. A gate about an entry that is not
/// among them is inconclusive.
GateResult check_gate(const Gate& gate, LoopKind loop, const std::vector<GateScope>& scopes);

/// What to know about a gate on a send-anchored latency in open loop, where waiting to be sent is part of what users
/// feel; empty for every other gate.
std::string anchor_warning(const Gate& gate, LoopKind loop);

/// none without gates; fail if one failed, else inconclusive if one was, else pass.
Verdict combine(const std::vector<GateResult>& gates);

}  // namespace loadgen
