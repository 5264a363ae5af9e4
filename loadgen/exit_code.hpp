// The one enum of exit codes of every loadgen command; CI gates script against these numbers.
#pragma once

namespace loadgen {

/// Where several apply, the first in this order wins: bad_usage, other_plans, exists, too_late, unreachable, error,
/// invalid, degraded, gate_failed, inconclusive, pass.
enum class ExitCode : int {
  pass = 0,          ///< everything ran; all gates passed (or there were none)
  error = 1,         ///< internal or I/O error
  gate_failed = 2,   ///< the run is good, a gate is not met
  inconclusive = 3,  ///< a gate could not be decided (too few samples, source absent)
  invalid = 4,       ///< the generator itself was late or short of resources: the numbers must not be used
  degraded = 5,      ///< part of the run is missing (interrupted, exporter lost points)
  bad_usage = 64,    ///< bad flags or a bad scenario file; nothing was sent
  other_plans = 65,  ///< merge: these are not the shards of one run; export: there is nothing of the kind
  exists = 73,       ///< the result is there already: of another run, or of another attempt at this shard
  too_late = 75,     ///< the common start was over (or was called off) before this process was ready: nothing was sent
  unreachable = 69,  ///< the target could not be connected to before the run
};

}  // namespace loadgen
