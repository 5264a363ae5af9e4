// Flags to a request; the arithmetic is in plan/.
#include "refserver/plan_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "refserver/checkpoint/checkpoint.hpp"
#include "refserver/checkpoint/presets.hpp"
#include "refserver/choice_flag.hpp"
#include "refserver/plan/gpu.hpp"
#include "refserver/plan/memory_plan.hpp"
#include "refserver/plan/plan_text.hpp"
#include "refserver/plan/roofline.hpp"

namespace refserver {
namespace {

struct PlanFlags {
  std::string gpu;
  std::vector<std::string> models;
  PlanRequest request;
  std::uint64_t new_tokens = 128;
  bool as_json = false;
};

void add_flags(CLI::App& app, PlanFlags& flags) {
  PlanRequest& request = flags.request;
  app.add_option("--gpu", flags.gpu, "one of " + CLI::detail::join(known_gpus(), ", ") + ", or a file like theirs")
      ->required()
      ->type_name("NAME|FILE");
  std::vector<std::string> presets;
  for (const ModelPreset& preset : model_presets()) presets.push_back(preset.name);
  app.add_option("--model", flags.models,
                 "a folder (config.json is enough), or one of " + CLI::detail::join(presets, ", ") +
                     " (GPTQ, 4 bits, groups of 128), or a published repository of these; repeat for more on one GPU")
      ->required()
      ->type_name("DIR|NAME")
      ->allow_extra_args(false);
  app.add_option("--context", request.context, "tokens of one sequence, prompt and answer")
      ->required()
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 24U));
  app.add_option("--concurrency", request.concurrency, "sequences at once, per model")
      ->required()
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000}));
  add_choice<KvForm>(app, "--kv", request.kv, {{"fp16", KvForm::fp16}, {"fp8", KvForm::fp8}, {"int8", KvForm::int8}},
                     "fp16 (default), fp8, or int8 with a scale per token, head, and K or V");
  add_choice<HeadForm>(app, "--lm-head", request.placement.head,
                       {{"stored", HeadForm::stored}, {"int8", HeadForm::int8}, {"int4", HeadForm::int4}},
                       "stored (default), int8 per row, or int4 in groups of 128");
  add_choice<EmbeddingPlace>(app, "--embeddings", request.placement.embedding,
                             {{"host", EmbeddingPlace::host}, {"gpu", EmbeddingPlace::gpu}}, "host (default) or gpu");
  app.add_option("--prefill-chunk", request.prefill_chunk, "prompt tokens in one step (default 256)")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 20U));
  app.add_option("--new-tokens", flags.new_tokens, "of an answer, for the P99 (default 128)")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 20U));
  app.add_option("--headroom", request.headroom_mib, "MiB to leave free (default 256)")->check(CLI::Range(0.0, 1e9));
  app.add_option("--memory", request.memory_mib, "MiB to plan for, instead of all the GPU has")
      ->check(CLI::Range(1.0, 1e9));
  app.add_flag("--json", flags.as_json, "one JSON object in bytes and seconds instead of a table");
}

CheckpointResult<PlannedModel> load_model(const std::string& name) {
  std::error_code ec;
  if (std::filesystem::is_directory(name, ec)) {
    auto parsed = read_model_config(name);
    if (parsed.has_error()) return parsed.error();
    std::string short_name = std::filesystem::path(name).filename().string();
    return PlannedModel{short_name.empty() ? name : short_name, std::move(parsed->config)};
  }
  if (const ModelPreset* const preset = find_preset(name)) return PlannedModel{preset->name, preset->config};
  return CheckpointError{CheckpointErrc::unreadable, name, "", "is neither a folder nor a known model"};
}

constexpr const char* kFooter = R"(
Example:
  refserver plan --gpu rtx4070s --model qwen2-7b --model llama-3.1-8b --context 256 --concurrency 16 \
      --kv fp8 --lm-head int4

Exit codes: 0 it fits, 2 it does not, 64 bad usage, 65 a model folder or GPU file that cannot be used.)";

}  // namespace

ExitCode run_plan(int argc, const char* const* argv) {
  CLI::App app("Say whether models fit a GPU, and how fast they could be at best. Needs no GPU.", "refserver plan");
  app.footer(kFooter);
  PlanFlags flags;
  add_flags(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? ExitCode::ok : ExitCode::bad_usage;
  }
  const auto gpu = load_gpu(flags.gpu);
  if (gpu.has_error()) {
    fmt::print(stderr, "refserver: {}\n", gpu.error().message());
    return ExitCode::bad_data;
  }
  for (const std::string& name : flags.models) {
    auto model = load_model(name);
    if (model.has_error()) {
      fmt::print(stderr, "refserver: {}\n", model.error().message());
      return ExitCode::bad_data;
    }
    if (model->config.max_positions < flags.request.context) {
      fmt::print(stderr, "refserver: {}: a context of {} is more than the model's {} positions\n", model->name,
                 flags.request.context, model->config.max_positions);
      return ExitCode::bad_usage;
    }
    flags.request.models.push_back(std::move(*model));
  }
  const MemoryPlan plan = plan_memory(*gpu, flags.request);
  const Roofline roofline = compute_roofline(*gpu, flags.request, flags.new_tokens);
  fmt::print("{}", flags.as_json ? plan_json(*gpu, flags.request, plan, roofline)
                                 : plan_text(*gpu, flags.request, plan, roofline));
  if (plan.fits()) return ExitCode::ok;
  fmt::print(stderr, "refserver: {}\n", shortage_text(flags.request, plan));
  return ExitCode::does_not_fit;
}

}  // namespace refserver
