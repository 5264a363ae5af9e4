// Blocks a hit takes out of the free ones are needed like new ones: they cannot be counted for both.
#include "refserver/schedule/admission_rules.hpp"

#include <algorithm>
#include <cmath>

namespace refserver {
namespace {

std::uint64_t needed(const AdmissionFacts& facts, std::uint32_t blocks) {
  return std::uint64_t{std::max(blocks, facts.hit)} - facts.hit + facts.hit_free;
}

std::uint64_t share_in_blocks(std::uint64_t tokens, double share, std::uint32_t block_size) {
  return static_cast<std::uint64_t>(std::ceil(static_cast<double>(tokens) * share / block_size));
}

}  // namespace

bool is_admissible(const SchedulerConfig& config, const AdmissionFacts& facts, double overcommit) {
  if (config.admission == AdmissionKind::reserve) {
    return needed(facts, std::min(facts.everything, facts.capacity)) <= facts.free;
  }
  // The whole prompt, less what earlier prompts still need: or else several half-computed ones block one another.
  const std::uint64_t prompt = needed(facts, facts.known);
  if (prompt + facts.promised > facts.free) return false;
  if (facts.running == 0) return true;
  if (config.admission == AdmissionKind::adaptive) {
    const std::uint64_t future =
        share_in_blocks(facts.running_tokens + facts.request_tokens, overcommit, facts.block_size);
    return prompt + facts.promised + future <= facts.free;
  }
  const auto watermark = static_cast<std::uint64_t>(std::ceil(config.watermark * facts.capacity));
  return needed(facts, facts.first_chunk) + watermark <= facts.free;
}

}  // namespace refserver
