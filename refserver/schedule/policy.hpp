// The order of waiting requests as a key that never changes while one waits, so that the queue is an ordered set.
#pragma once

#include <cstdint>

#include "refserver/schedule/scheduler_config.hpp"
#include "refserver/schedule/sequence.hpp"

namespace refserver {

/// Ageing is linear in time, one class per `ageing`: of two waiting requests the same one stays ahead, and the key
/// can be fixed on arrival. `uncached_tokens` is the prompt less what the prefix cache held then. Preempted requests
/// come first: of all (fcfs), of their class (priority without ageing), of their tenant (fair); where keys age they
/// keep the place their arrival gave them.
QueueKey make_key(const SchedulerConfig& config, const Sequence& sequence, std::uint32_t uncached_tokens);

}  // namespace refserver
