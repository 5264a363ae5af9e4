// Defaults per kind of engine, then a plain copy.
#include "refserver/scheduler_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string_view>

namespace refserver {
namespace {

/// Simulated KV memory holds no numbers, but its bookkeeping is real: about 7 bytes a slot.
constexpr std::uint64_t kUsualSlots = std::uint64_t{2} << 20U;
constexpr std::uint64_t kSlotsPerRequest = 1024;
constexpr std::uint64_t kMostSlots = std::uint64_t{16} << 20U;
constexpr std::uint64_t kDeviceSlots = 131'072;  ///< what 12 GiB hold beside the weights
constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;
constexpr std::uint32_t kUsualStepTokens = 4096;
constexpr std::uint32_t kUsualBatchSize = 256;

std::string_view name_of(BatchKind kind) {
  switch (kind) {
    case BatchKind::continuous:
      return "continuous batching";
    case BatchKind::fixed:
      return "static batching";
    case BatchKind::serial:
      return "one request at a time";
  }
  return "";
}

std::string_view name_of(AdmissionKind kind) {
  switch (kind) {
    case AdmissionKind::reserve:
      return "everything reserved";
    case AdmissionKind::optimistic:
      return "prompts reserved";
    case AdmissionKind::adaptive:
      return "a share reserved";
  }
  return "";
}

std::uint32_t narrow(std::uint64_t value) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(value, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace

PoolLimits pool_limits(const EngineSettings& engine, std::uint32_t max_concurrent_requests) {
  PoolLimits limits;
  limits.has_free_steps = engine.kind == EngineKind::scripted;
  limits.kv_tokens = limits.has_free_steps
                         ? std::clamp(max_concurrent_requests * kSlotsPerRequest, kUsualSlots, kMostSlots)
                         : kDeviceSlots;
  limits.drafts = engine.drafts;
  limits.batch_size =
      limits.has_free_steps ? max_concurrent_requests : std::min(max_concurrent_requests, kUsualBatchSize);
  return limits;
}

SchedulerConfig make_scheduler_config(const SchedulerSettings& settings, const ModelInfo& model,
                                      const PoolLimits& limits) {
  SchedulerConfig config;
  config.pool.model = model.name;
  config.pool.block_size = settings.block_size;
  const std::uint64_t slots =
      settings.max_batch_total_tokens.value_or(std::max<std::uint64_t>(limits.kv_tokens, model.max_total_tokens));
  // One block more: the one for padding. Asked for less than a whole number of blocks, it is the whole number below.
  const std::uint64_t rounding = settings.max_batch_total_tokens ? 0 : settings.block_size - 1;
  config.pool.blocks = narrow((slots + rounding) / settings.block_size + 1);
  const std::uint32_t pool_tokens = narrow(std::uint64_t{config.pool.blocks - 1} * settings.block_size);
  config.batch = settings.batch;
  config.prefill = settings.has_prefill_chunking ? PrefillKind::chunked : PrefillKind::separate;
  config.admission = settings.admission;
  config.policy = settings.policy;
  config.has_prefix_cache = settings.has_prefix_caching;
  config.max_input_tokens = model.max_input_tokens;
  config.max_total_tokens = model.max_total_tokens;
  const std::uint32_t longest_step = settings.has_prefill_chunking ? 0 : model.max_input_tokens;
  const std::uint32_t usual = limits.has_free_steps ? pool_tokens : std::max(kUsualStepTokens, longest_step);
  config.max_batch_prefill_tokens = settings.max_batch_prefill_tokens.value_or(std::min(usual, pool_tokens));
  config.max_batch_size = settings.max_batch_size.value_or(limits.batch_size);
  config.max_drafts = limits.drafts;
  config.max_waiting_requests = settings.max_waiting_requests;
  config.queue_timeout = settings.queue_timeout;
  config.waiting_served_ratio = settings.waiting_served_ratio;
  config.max_waiting_tokens = settings.max_waiting_tokens;
  return config;
}

std::string describe(const SchedulerConfig& config, std::uint64_t token_bytes) {
  const std::uint64_t tokens = std::uint64_t{config.pool.blocks - 1} * config.pool.block_size;
  const std::string bytes =
      token_bytes == 0
          ? ""
          : fmt::format(" = {:.2f} GiB", static_cast<double>(tokens) * static_cast<double>(token_bytes) / kGibibyte);
  return fmt::format(
      "KV cache of {} blocks of {} tokens = {} tokens{}, enough for {} of the longest requests ({} tokens); "
      "{}, {}, at most {} requests and {} tokens a step, prefix cache {}",
      config.pool.blocks - 1, config.pool.block_size, tokens, bytes, tokens / std::max(1U, config.max_total_tokens),
      config.max_total_tokens, name_of(config.batch), name_of(config.admission),
      config.batch == BatchKind::serial ? 1 : config.max_batch_size, config.max_batch_prefill_tokens,
      config.has_prefix_cache ? "on" : "off");
}

}  // namespace refserver
