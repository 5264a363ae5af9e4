// One check per line of the documentation; the first that fails is reported.
#include "refserver/schedule/scheduler_config.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace refserver {
namespace {

constexpr std::chrono::nanoseconds kLongestAgeing = std::chrono::hours(24);

bool is_share(double value) {
  return value >= 0 && value <= 1;
}

std::optional<std::string> find_problem_in_ranges(const SchedulerConfig& c) {
  if (c.pool.blocks < 2)
    return fmt::format("the pool has {} blocks; it needs 2, one of them for padding", c.pool.blocks);
  if (c.pool.block_size < 1) return "a block has no slots";
  if (c.max_batch_prefill_tokens < 1) return "max_batch_prefill_tokens is 0: no step could do anything";
  if (c.max_batch_size < 1) return "max_batch_size is 0: nothing could run";
  if (!is_share(c.watermark)) return fmt::format("the watermark is {}, not a share from 0 to 1", c.watermark);
  if (!is_share(c.overcommit) || !is_share(c.overcommit_least) || c.overcommit_least > c.overcommit ||
      !is_share(c.overcommit_decay)) {
    return fmt::format("overcommit falls from {} to {} by {}: these are shares, and the second is the smaller",
                       c.overcommit, c.overcommit_least, c.overcommit_decay);
  }
  if (c.ageing.count() < 0 || c.ageing > kLongestAgeing) return "ageing is not between 0 and 24 hours";
  if (c.queue_timeout.count() < 0 || c.bypass_limit.count() < 0) return "a time limit is negative";
  if (!(c.waiting_served_ratio >= 0)) return fmt::format("waiting_served_ratio is {}", c.waiting_served_ratio);
  return std::nullopt;
}

}  // namespace

std::optional<std::string> find_problem(const SchedulerConfig& c) {
  if (auto problem = find_problem_in_ranges(c)) return problem;
  const std::uint64_t pool_tokens = std::uint64_t{c.pool.blocks - 1} * c.pool.block_size;
  const std::uint64_t total = c.max_total_tokens > 0 ? c.max_total_tokens : pool_tokens + 1;
  const std::uint64_t input = c.max_input_tokens > 0 ? c.max_input_tokens : total - 1;
  if (input >= total) {
    return fmt::format("max_input_tokens ({}) must be less than max_total_tokens ({})", input, total);
  }
  if (c.max_total_tokens > pool_tokens) {
    return fmt::format("max_total_tokens ({}) needs {} blocks of {} slots; the pool has {}", c.max_total_tokens,
                       (c.max_total_tokens - 1) / c.pool.block_size + 1, c.pool.block_size, c.pool.blocks - 1);
  }
  if (input > pool_tokens) {
    return fmt::format("max_input_tokens ({}) exceeds the pool's {} slots", input, pool_tokens);
  }
  if (c.prefill == PrefillKind::separate && c.max_batch_prefill_tokens < input) {
    return fmt::format("max_batch_prefill_tokens ({}) must reach max_input_tokens ({}) where prompts are not cut",
                       c.max_batch_prefill_tokens, input);
  }
  if (c.max_batch_prefill_tokens > pool_tokens) {
    return fmt::format("max_batch_prefill_tokens ({}) exceeds the pool's {} slots", c.max_batch_prefill_tokens,
                       pool_tokens);
  }
  return std::nullopt;
}

}  // namespace refserver
