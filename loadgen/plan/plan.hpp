// The plan: a pure, immutable function of (scenario, seed) that says what request number i is. Random access by keyed
// counters, so that workers and processes can deal the indices out among themselves and still send the same requests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loadgen/plan/scenario.hpp"

namespace loadgen {

/// Request number `index` of the plan.
struct PlannedRequest {
  std::uint64_t index = 0;
  std::uint32_t entry = 0;          ///< position in Scenario::mix
  std::uint32_t prompt = 0;         ///< position in MixEntry::prompts
  std::uint64_t nonce = 0;          ///< unique per (seed, index); put at the start of the prompt when Scenario::nonce
  std::uint32_t tokens = 0;         ///< the most to be generated
  std::uint32_t prompt_tokens = 0;  ///< of a prompt that is made up; 0: it is a given one
};

class Plan {
 public:
  /// `scenario` must have a non-empty mix whose entries have prompts (what parsing guarantees).
  explicit Plan(Scenario scenario);

  const Scenario& scenario() const noexcept { return scenario_; }

  /// Pure: same plan, same index, same answer, on any thread.
  PlannedRequest request(std::uint64_t index) const noexcept;

  /// Which request's words a made-up prompt has: its own, or all the same where prompts are to begin alike.
  std::uint64_t words_index(const PlannedRequest& request) const noexcept {
    return scenario_.nonce ? request.index : 0;
  }

  /// The text to send: made up, or the prompt, with `[xxxxxxxxxxxxxxxx] ` (the nonce in hex) before it when the
  /// scenario says so.
  std::string prompt_text(const PlannedRequest& request) const;

 private:
  std::size_t entry_of(std::uint64_t index) const noexcept;

  Scenario scenario_;
  std::vector<double> cumulative_share_;  ///< per entry, ends in 1
};

}  // namespace loadgen
