// What an engine is to the scheduler: it runs a planned step. It sees tokens and blocks, never sockets, queues or who
// comes next.
#pragma once

#include <optional>

#include "refserver/schedule/step.hpp"

namespace refserver {

class StepEngine {
 public:
  virtual ~StepEngine() = default;

  /// Told of a request before its first row; if it is then refused, released at once. Scripted engines say when its
  /// first token is due.
  virtual std::optional<TimePoint> admit(const RequestSpec& /*spec*/) { return std::nullopt; }
  /// Runs the plan, begun at `start`, and fills `result`, whose memory is reused. Real engines block until the step is
  /// done; simulated ones return at once with an `end` that may lie ahead.
  virtual void run(const StepPlan& plan, TimePoint start, StepResult& result) = 0;
  /// The sequence is over and its blocks are no longer its own. Called once for every admitted request.
  virtual void release(RequestId sequence) = 0;
};

}  // namespace refserver
