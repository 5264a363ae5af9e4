// Draws entry, prompt, nonce and length of a request from keyed counters.
#include "loadgen/plan/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "loadgen/plan/keyed_random.hpp"
#include "loadgen/plan/length_draw.hpp"
#include "loadgen/plan/made_prompts.hpp"

namespace loadgen {

Plan::Plan(Scenario scenario) : scenario_(std::move(scenario)) {
  assert(!scenario_.mix.empty());
  double total = 0;
  for (const MixEntry& entry : scenario_.mix) {
    assert(entry.weight > 0 && (entry.made || !entry.prompts.empty()));
    total += entry.weight;
  }
  double sum = 0;
  for (const MixEntry& entry : scenario_.mix) {
    sum += entry.weight;
    cumulative_share_.push_back(sum / total);
  }
  cumulative_share_.back() = 1;  // rounding must not leave a gap above the last entry
}

/// Position in the mix; where there is one entry nothing needs to be drawn.
std::size_t Plan::entry_of(std::uint64_t index) const noexcept {
  if (cumulative_share_.size() == 1) return 0;
  const double u = keyed_uniform(scenario_.seed, Draw::entry, index);
  const auto at = std::upper_bound(cumulative_share_.begin(), cumulative_share_.end(), u);
  return static_cast<std::size_t>(at - cumulative_share_.begin());
}

PlannedRequest Plan::request(std::uint64_t index) const noexcept {
  const std::size_t entry = entry_of(index);
  const MixEntry& chosen = scenario_.mix[entry];
  const std::uint64_t prompts = chosen.prompts.size();
  // Multiply and shift: the high 32 random bits as a fraction of the number of prompts, without modulo bias that
  // matters.
  const std::uint64_t prompt =
      prompts < 2 ? 0 : ((keyed_bits(scenario_.seed, Draw::prompt, index) >> 32) * prompts) >> 32;
  const Parameters& p = chosen.parameters;
  const std::uint32_t tokens =
      p.drawn_tokens ? drawn(*p.drawn_tokens, scenario_.seed, Draw::output_tokens, index) : p.max_new_tokens;
  const std::uint32_t prompt_tokens =
      chosen.made ? drawn(chosen.made->tokens, scenario_.seed, Draw::prompt_tokens, index) : 0;
  return {index,
          static_cast<std::uint32_t>(entry),
          static_cast<std::uint32_t>(prompt),
          keyed_bits(scenario_.seed, Draw::nonce, index),
          tokens,
          prompt_tokens};
}

std::string Plan::prompt_text(const PlannedRequest& request) const {
  const MixEntry& entry = scenario_.mix[request.entry];
  if (entry.made) {
    std::string text;
    entry.made->words->append(scenario_.seed, words_index(request), request.prompt_tokens, text);
    return text;
  }
  const std::string& prompt = entry.prompts[request.prompt];
  return scenario_.nonce ? fmt::format("[{:016x}] {}", request.nonce, prompt) : prompt;
}

}  // namespace loadgen
