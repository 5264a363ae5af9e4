// Test support: random traces and configurations, shrinking to small ones.
#pragma once

#include "refserver/schedule/tests/property.hpp"
#include "refserver/schedule/tests/world.hpp"

namespace refserver {

/// What a property wants of its traces; everything else is random.
struct TraceShape {
  std::optional<AdmissionKind> admission{};
  std::optional<PolicyKind> policy{};
  std::optional<BatchKind> batch{};
  std::optional<PrefillKind> prefill{};
  bool has_cancels = true;
  bool has_deadlines = false;
  bool has_queue_limits = false;
  bool has_due_times = false;
  bool has_failures = false;
  int requests = 50;           ///< at most
  std::uint32_t longest = 40;  ///< tokens of a prompt part or an answer
};

/// To be called inside a property.
Trace arbitrary_trace(const TraceShape& shape = {});

/// Runs a world to its end and says why if it does not get there or the engine found a fault.
void run_to_the_end(World& world, std::size_t most_steps = 200'000);

}  // namespace refserver
