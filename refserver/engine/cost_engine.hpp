// An engine without a model whose steps take as long as a device's would: requests share it, wait for one another and
// are speculated for, all for real. What a request says depends on its prompt alone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>

#include "refserver/engine/distribution.hpp"
#include "refserver/engine/stall_clock.hpp"
#include "refserver/engine/step_cost.hpp"
#include "refserver/schedule/step_engine.hpp"

namespace refserver {

struct CostSettings {
  StepCost cost;
  Distribution noise{};  ///< added to each step, drawn by its number
  std::uint64_t seed = 0;
  std::uint32_t drafts = 0;           ///< guesses proposed per token sampled
  double draft_acceptance = 0.7;      ///< chance of each guess to be right if those before it are
  std::uint32_t vocabulary = 32'000;  ///< token ids are 1 up to this
  /// Tokens after which a request's answer ends by itself, its last one being the end of the sequence; none: only its
  /// limit ends it.
  std::function<std::optional<std::uint32_t>(const RequestSpec&)> answer_length{};
};

/// What the engines of one simulated device share: when its latest step really ended.
struct StepTimeline {
  TimePoint end;
};

/// The next token is a hash of (seed, all tokens before it): the same however steps were formed.
class CostEngine final : public StepEngine {
 public:
  /// Both may be shared with other engines of the same thread. Not null.
  CostEngine(CostSettings settings, std::shared_ptr<StallClock> stalls, std::shared_ptr<StepTimeline> timeline);

  std::optional<TimePoint> admit(const RequestSpec& spec) override;
  void run(const StepPlan& plan, TimePoint start, StepResult& result) override;
  void release(RequestId sequence) override { requests_.erase(sequence); }

 private:
  struct Progress {
    std::uint64_t key = 0;
    std::uint64_t hash = 0;  ///< of the first `hashed` known tokens
    std::size_t hashed = 0;
    std::uint32_t length = 0;  ///< of the answer; 0: as long as allowed
  };

  TimePoint begin(const StepPlan& plan, TimePoint start) const;
  std::chrono::nanoseconds length(const StepPlan& plan) const;
  void answer(const Row& row, Progress& request, RowResult& result) const;
  void propose(std::uint64_t hash, std::uint32_t index, const Progress& request, RowResult& result) const;
  TokenId next_token(std::uint64_t hash, std::uint32_t index, const Progress& request) const;

  CostSettings settings_;
  std::shared_ptr<StallClock> stalls_;
  std::shared_ptr<StepTimeline> timeline_;
  std::unordered_map<RequestId, Progress> requests_;
};

}  // namespace refserver
