// Simulated engines come first: they need nothing but settings.
#include "refserver/model_runtime.hpp"

#include <utility>

namespace refserver {

std::vector<ModelRuntime> make_runtimes(const ServerConfig& config) {
  if (config.source == EngineSource::cpu) return make_cpu_runtimes(config);
  std::vector<MadeEngine> made = make_engines(config.engines, config.stalls);
  std::vector<ModelRuntime> runtimes;
  for (std::size_t i = 0; i < made.size(); ++i) {
    const PoolLimits limits = pool_limits(config.engines[i], config.http.max_concurrent_requests);
    const SchedulerConfig scheduler = make_scheduler_config(config.scheduler, config.models[i], limits);
    ModelRuntime runtime;
    runtime.engine = std::move(made[i].engine);
    runtime.vocabulary = std::move(made[i].vocabulary);
    runtime.scheduler = std::make_unique<Scheduler>(scheduler, *runtime.vocabulary);
    runtime.memory_plan = describe(scheduler, config.kv_token_bytes[i]);
    runtime.weight = config.weights[i];
    runtime.is_simulated = true;
    if (limits.has_free_steps) runtime.shared_step_tokens = 0;
    runtimes.push_back(std::move(runtime));
  }
  return runtimes;
}

std::vector<DeviceModel> on_device(const std::vector<ModelRuntime>& runtimes) {
  std::vector<DeviceModel> models;
  models.reserve(runtimes.size());
  for (const ModelRuntime& runtime : runtimes) {
    models.push_back({runtime.scheduler.get(), runtime.engine.get(), runtime.weight, runtime.shared_step_tokens,
                      runtime.is_simulated});
  }
  return models;
}

}  // namespace refserver
