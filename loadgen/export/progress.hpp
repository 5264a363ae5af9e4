// The live view of a run: one status line redrawn in place on a terminal, a plain line every few seconds elsewhere.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "loadgen/plan/scenario.hpp"
#include "loadgen/record/run_totals.hpp"

namespace loadgen {

/// What is known now.
struct ProgressSnapshot {
  Phase phase = Phase::warmup;
  double elapsed_s = 0;                 ///< since the start of warm-up
  std::optional<double> phase_total_s;  ///< length of the current phase, when it is known
  double phase_elapsed_s = 0;
  std::uint32_t in_flight = 0;
  double offered_rate = 0, achieved_rate = 0, tokens_rate = 0;             ///< over the last second
  std::optional<double> e2e_p50_ms, e2e_p99_ms, ttft_p50_ms, ttft_p99_ms;  ///< measured so far
  std::uint64_t ok = 0, failed = 0;                                        ///< so far, all phases
  std::optional<std::uint64_t> planned_requests;
};

class ProgressView {
 public:
  virtual ~ProgressView() = default;
  virtual void show(const ProgressSnapshot& snapshot) = 0;
  /// Ends the line so that what is printed next starts on a fresh one.
  virtual void close() = 0;
};

/// On stderr. Quiet shows nothing.
enum class ProgressKind : std::uint8_t { automatic, quiet };
std::unique_ptr<ProgressView> make_progress_view(ProgressKind kind);

}  // namespace loadgen
