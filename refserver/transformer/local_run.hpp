// Requests through the real scheduler and an engine to their end, without a server: what the commands and tests drive.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "refserver/schedule/device.hpp"

namespace refserver {

class LocalRun {
 public:
  using OnToken = std::function<void(const TokenEvent&)>;

  /// Both must outlive the run. Throws std::invalid_argument as Scheduler does.
  LocalRun(const SchedulerConfig& config, const Vocabulary& vocabulary, StepEngine& engine);

  /// Queues a request, or says why not.
  std::optional<Refusal> add(RequestSpec spec);
  /// One step. False when nothing is left to do. Tokens of failed requests do not come: they are counted.
  bool step(const OnToken& on_token);
  /// Until every request has ended.
  void finish(const OnToken& on_token) {
    while (step(on_token)) {
    }
  }

  std::size_t failed() const noexcept { return failed_; }
  const Scheduler& scheduler() const noexcept { return scheduler_; }
  const ModelUse& use() const { return device_.use(0); }

 private:
  Scheduler scheduler_;
  Device device_;
  StepEvents events_;
  std::size_t failed_ = 0;
};

/// What a refusal means to whoever made the request.
const char* explain(Refusal refusal) noexcept;

}  // namespace refserver
