// The list (flags of TGI 3.3.7).
#include "refserver/launcher_flags.hpp"

#include <fmt/format.h>

#include <array>

namespace refserver {
namespace {

constexpr auto kValue = LauncherFlag::Kind::value;
constexpr auto kToggle = LauncherFlag::Kind::toggle;
constexpr auto kVariable = LauncherFlag::Kind::variable;
constexpr auto kIgnored = LauncherFlag::Answer::ignored;
constexpr auto kRefused = LauncherFlag::Answer::refused;

constexpr std::array kFlags = {
    LauncherFlag{"revision", kValue, kIgnored, "", "a checkpoint folder is used as it is"},
    LauncherFlag{"sharded", kValue, kRefused, "false", "a model runs on one device"},
    LauncherFlag{"num_shard", kValue, kRefused, "1", "a model runs on one device"},
    LauncherFlag{"quantize", kValue, kRefused, "gptq", "checkpoints are GPTQ, found by themselves"},
    LauncherFlag{"speculate", kValue, kRefused, "0", "nothing is speculated"},
    LauncherFlag{"dtype", kValue, kIgnored, "", "the engine chooses its own precision"},
    LauncherFlag{"kv_cache_dtype", kValue, kRefused, "auto", "the KV cache has the engine's own precision"},
    LauncherFlag{"trust_remote_code", kToggle, kRefused, "false", "no code of a checkpoint is ever run"},
    LauncherFlag{"lora_adapters", kValue, kRefused, "", "there are no adapters"},
    LauncherFlag{"rope_scaling", kValue, kRefused, "", "scaling is read from the checkpoint"},
    LauncherFlag{"rope_factor", kValue, kRefused, "", "scaling is read from the checkpoint"},
    LauncherFlag{"enable_prefill_logprobs", kToggle, kRefused, "false", "log-probs of prompt tokens are not computed"},
    LauncherFlag{"tokenizer_config_path", kValue, kRefused, "",
                 "tokenizer and template come with the folder: --model NAME=FOLDER"},
    LauncherFlag{"otlp_endpoint", kValue, kRefused, "", "there is no tracing; --json-output logs every request"},
    LauncherFlag{"otlp_service_name", kValue, kIgnored, "", "there is no tracing"},
    LauncherFlag{"ngrok", kToggle, kRefused, "false", "there is no tunnel"},
    LauncherFlag{"ngrok_authtoken", kValue, kIgnored, "", "there is no tunnel"},
    LauncherFlag{"ngrok_edge", kValue, kIgnored, "", "there is no tunnel"},
    LauncherFlag{"prometheus_port", kValue, kIgnored, "", "/metrics is on the main port, as in TGI"},
    LauncherFlag{"shard_uds_path", kValue, kIgnored, "", "there are no shards"},
    LauncherFlag{"master_addr", kValue, kIgnored, "", "there are no shards"},
    LauncherFlag{"master_port", kValue, kIgnored, "", "there are no shards"},
    LauncherFlag{"huggingface_hub_cache", kValue, kIgnored, "", "nothing is downloaded"},
    LauncherFlag{"weights_cache_override", kValue, kIgnored, "", "nothing is downloaded"},
    LauncherFlag{"disable_custom_kernels", kToggle, kIgnored, "", "kernels are chosen by the backend"},
    LauncherFlag{"cuda_graphs", kValue, kIgnored, "", "steps are not recorded"},
    LauncherFlag{"cuda_memory_fraction", kValue, kIgnored, "", "memory is set by --max-batch-total-tokens"},
    LauncherFlag{"watermark_gamma", kValue, kIgnored, "", "no watermark is added"},
    LauncherFlag{"watermark_delta", kValue, kIgnored, "", "no watermark is added"},
    LauncherFlag{"usage_stats", kValue, kIgnored, "", "nothing is ever reported"},
    LauncherFlag{"max_image_fetch_size", kVariable, kIgnored, "", "images are not read"},
    LauncherFlag{"attention", kVariable, kIgnored, "", "there is one kind of attention"},
    LauncherFlag{"log_level", kVariable, kIgnored, "", "there is one level"},
    LauncherFlag{"hf_token", kVariable, kIgnored, "", "nothing is downloaded"},
};

}  // namespace

std::span<const LauncherFlag> launcher_flags() {
  return kFlags;
}

std::optional<std::string> find_objection(const LauncherFlag& flag, std::string_view value) {
  if (flag.answer == LauncherFlag::Answer::ignored || (!flag.harmless.empty() && value == flag.harmless)) {
    return std::nullopt;
  }
  if (flag.harmless.empty() || flag.kind == LauncherFlag::Kind::toggle) {
    return fmt::format("not supported: {}", flag.reason);
  }
  return fmt::format("only {} is supported: {}", flag.harmless, flag.reason);
}

}  // namespace refserver
