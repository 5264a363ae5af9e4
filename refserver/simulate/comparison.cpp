// Contiguous memory is a pool whose blocks are as long as the longest request.
#include "refserver/simulate/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "refserver/simulate/scenario.hpp"
#include "refserver/simulate/trace.hpp"

namespace refserver {
namespace {

struct Way {
  const char* name;
  const char* what;
  BatchKind batch;
  AdmissionKind admission;
  bool is_contiguous;
};

constexpr Way kWays[] = {
    {"serial", "one request at a time", BatchKind::serial, AdmissionKind::optimistic, false},
    {"static", "a batch is formed when the one before it is done", BatchKind::fixed, AdmissionKind::optimistic, false},
    {"continuous", "requests join and leave between steps", BatchKind::continuous, AdmissionKind::optimistic, false},
    {"reserve", "continuous; blocks for all a request may need are taken at once", BatchKind::continuous,
     AdmissionKind::reserve, false},
    {"contiguous", "continuous; memory for the longest request is set aside for each", BatchKind::continuous,
     AdmissionKind::optimistic, true},
};

SchedulerConfig config_of(const ComparisonSettings& settings, const Way& way) {
  SchedulerConfig config = simulated_scheduler(settings.kv_tokens);
  config.batch = way.batch;
  config.admission = way.admission;
  config.max_batch_size = settings.max_batch_size;
  config.max_batch_prefill_tokens = std::min(config.max_batch_prefill_tokens, settings.kv_tokens);
  config.max_total_tokens = settings.max_total_tokens;
  if (way.is_contiguous) {
    config.pool.block_size = settings.max_total_tokens;
    config.pool.blocks = settings.kv_tokens / settings.max_total_tokens + 1;
    config.watermark = 0;  // a share of the pool means blocks to grow into, and nobody grows
    config.max_batch_prefill_tokens =
        std::min(config.max_batch_prefill_tokens, (config.pool.blocks - 1) * config.pool.block_size);
  }
  return config;
}

}  // namespace

std::vector<ComparedRun> compare_scheduling(const ComparisonSettings& settings) {
  if (longest_of(settings.trace) > settings.max_total_tokens) {
    throw std::invalid_argument(
        fmt::format("a request of the trace may need {} tokens, more than max_total_tokens ({})",
                    longest_of(settings.trace), settings.max_total_tokens));
  }
  if (settings.kv_tokens < settings.max_total_tokens) {
    throw std::invalid_argument(fmt::format("{} tokens of KV memory do not hold a request of max_total_tokens ({})",
                                            settings.kv_tokens, settings.max_total_tokens));
  }
  std::vector<ComparedRun> runs;
  for (const Way& way : kWays) {
    SimulationSettings simulation;
    simulation.scheduler = config_of(settings, way);
    simulation.engine.kind = EngineKind::cost;
    simulation.engine.cost = settings.preset.cost;
    simulation.trace = settings.trace;
    simulation.requests = settings.trace.sizes.size();
    runs.push_back({way.name, way.what, simulate(simulation)});
  }
  return runs;
}

}  // namespace refserver
