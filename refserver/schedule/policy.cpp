// Each policy in three lines.
#include "refserver/schedule/policy.hpp"

namespace refserver {
namespace {

constexpr std::int64_t kTokensPerAgeing = 1000;

}  // namespace

QueueKey make_key(const SchedulerConfig& config, const Sequence& sequence, std::uint32_t uncached_tokens) {
  const std::int64_t is_fresh = sequence.preemptions > 0 ? 0 : 1;
  const std::int64_t arrival = sequence.queued.time_since_epoch().count();
  const std::int64_t ageing = config.ageing.count();
  QueueKey key{is_fresh, 0, sequence.order};
  if (config.policy == PolicyKind::priority) {
    key.group = ageing > 0 ? 0 : 2 * std::int64_t{sequence.spec.priority} + is_fresh;
    if (ageing > 0) key.weight = arrival + ageing * sequence.spec.priority;
  } else if (config.policy == PolicyKind::shortest_first && is_fresh == 1) {
    key.weight = ageing > 0 ? arrival + ageing * std::int64_t{uncached_tokens} / kTokensPerAgeing : uncached_tokens;
  }
  return key;
}

}  // namespace refserver
