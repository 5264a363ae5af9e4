// First all folders are opened and the memory is divided, then each model is loaded into its share.
#include "refserver/cpu_engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "refserver/config.hpp"
#include "refserver/model_runtime.hpp"
#include "refserver/schedule/kv_partition.hpp"

namespace refserver {
namespace {

constexpr std::uint64_t kMegabyte = 1'000'000;
constexpr std::uint32_t kUsualContext = 4096;
constexpr std::uint64_t kUsualKvTokens = 8192;
constexpr std::uint32_t kUsualBatchSize = 64;
constexpr std::uint32_t kStepTokens = 512;  ///< clients past their prompt wait for no more than that of another's

template <class Value, class Error>
Value must(Result<Value, Error> made, const std::string& model) {
  if (made.has_value()) return std::move(*made);
  if constexpr (std::is_same_v<Error, std::string>) {
    throw std::runtime_error(fmt::format("model {}: {}", model, made.error()));
  } else {
    throw std::runtime_error(fmt::format("model {}: {}", model, made.error().message()));
  }
}

std::uint32_t batch_size(const ServerConfig& config) {
  return config.scheduler.max_batch_size.value_or(std::min(config.http.max_concurrent_requests, kUsualBatchSize));
}

EngineSetup setup_of(const ServerConfig& config, std::size_t model) {
  EngineSetup setup;
  setup.memory.head = config.cpu.head;
  setup.memory.kv_type = config.cpu.kv_type;
  setup.memory.block_tokens = config.scheduler.block_size;
  setup.memory.pass_rows = kStepTokens;
  setup.memory.logit_rows = std::min(setup.memory.logit_rows, batch_size(config));
  setup.memory.context_tokens = config.models[model].max_total_tokens;
  setup.memory.wanted_tokens = config.scheduler.max_batch_total_tokens.value_or(kUsualKvTokens);
  setup.max_batch_size = batch_size(config);
  return setup;
}

/// With a budget: what is left of it beside the weights and buffers of all, divided by weight; no model gets less than
/// its longest request needs.
void divide_memory(const ServerConfig& config, const std::vector<ModelFolder>& folders,
                   std::vector<EngineSetup>& setups) {
  if (config.cpu.memory_mb == 0) return;
  std::uint64_t fixed = 0;
  std::vector<KvDemand> demands;
  for (std::size_t i = 0; i < folders.size(); ++i) {
    HostMemoryRequest least = setups[i].memory;
    least.wanted_tokens = config.scheduler.max_batch_total_tokens.value_or(0);
    const HostMemoryPlan plan = must(plan_host_memory(*folders[i].checkpoint, least), config.models[i].name);
    fixed += plan.weight_bytes + plan.buffer_bytes;
    demands.push_back({plan.kv_block_bytes, config.weights[i], plan.kv_blocks});
  }
  const std::uint64_t budget = config.cpu.memory_mb * kMegabyte;
  const auto refuse = [&](const std::string& why) {
    throw std::runtime_error(fmt::format(
        "cpu_memory_mb: weights and buffers of the models take {} MB of the {} MB, and {}; raise it, or lower "
        "max_total_tokens or max_batch_total_tokens",
        fixed / kMegabyte + 1, config.cpu.memory_mb, why));
  };
  if (fixed >= budget) refuse("nothing is left for keys and values");
  const auto shares = partition_kv(budget - fixed, demands);
  if (shares.has_error()) refuse(shares.error());
  for (std::size_t i = 0; i < setups.size(); ++i) {
    if (config.scheduler.max_batch_total_tokens) continue;
    setups[i].memory.wanted_tokens = std::uint64_t{(*shares)[i].blocks - 1} * config.scheduler.block_size;
  }
}

SchedulerConfig scheduler_of(const ServerConfig& config, std::size_t model, const HostMemoryPlan& memory) {
  PoolLimits limits;
  limits.kv_tokens = memory.kv_tokens(config.scheduler.block_size);
  limits.batch_size = batch_size(config);
  SchedulerConfig scheduler = make_scheduler_config(config.scheduler, config.models[model], limits);
  if (!config.scheduler.max_batch_prefill_tokens && config.scheduler.has_prefill_chunking) {
    scheduler.max_batch_prefill_tokens = std::min(scheduler.max_batch_prefill_tokens, kStepTokens);
  }
  return scheduler;
}

}  // namespace

std::uint32_t usual_context(const std::string& folder) {
  const auto config = read_model_config(folder);
  if (config.has_error()) return 0;
  return static_cast<std::uint32_t>(std::min<std::size_t>(config->config.max_positions, kUsualContext));
}

std::vector<ModelRuntime> make_cpu_runtimes(const ServerConfig& config) {
  const auto backend = must(make_backend(config.cpu.backend), "*");
  std::vector<ModelFolder> folders;
  std::vector<EngineSetup> setups;
  for (std::size_t i = 0; i < config.models.size(); ++i) {
    folders.push_back(must(open_model_folder(config.folders[i], config.models[i].tokenizer), config.models[i].name));
    setups.push_back(setup_of(config, i));
  }
  divide_memory(config, folders, setups);
  std::vector<ModelRuntime> runtimes;
  for (std::size_t i = 0; i < folders.size(); ++i) {
    TransformerModel model =
        must(load_transformer_model(std::move(folders[i]), backend, setups[i]), config.models[i].name);
    const SchedulerConfig scheduler = scheduler_of(config, i, model.memory);
    if (scheduler.pool.blocks > model.memory.kv_blocks) throw std::logic_error("more blocks than there is memory for");
    ModelRuntime runtime;
    runtime.scheduler = std::make_unique<Scheduler>(scheduler, *model.vocabulary);
    runtime.memory_plan = fmt::format("on {}: {}; {}", backend->name(),
                                      describe(model.memory, config.scheduler.block_size), describe(scheduler, 0));
    runtime.engine = std::move(model.engine);
    runtime.vocabulary = std::move(model.vocabulary);
    runtime.weight = config.weights[i];
    runtime.shared_step_tokens = kStepTokens;
    runtimes.push_back(std::move(runtime));
  }
  return runtimes;
}

}  // namespace refserver
