// Flags to an engine setup.
#include "refserver/engine_flags.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <utility>

#include "refserver/choice_flag.hpp"

namespace refserver {
namespace {

constexpr std::uint64_t kMegabyte = 1'000'000;

}  // namespace

EngineSetup EngineFlags::settled() const {
  EngineSetup settled = setup;
  settled.memory.budget_bytes = memory_mb * kMegabyte;
  return settled;
}

void add_engine_flags(CLI::App& app, EngineFlags& flags) {
  app.add_option("--model", flags.model, "folder with config.json, tokenizer.json and safetensors")
      ->required()
      ->type_name("DIR");
  app.add_option("--threads", flags.backend.threads, "that compute; 0: one per usable core (default 1)")
      ->check(CLI::Range(0, 1024));
  add_choice<kernels::Precision>(
      app, "--precision", flags.backend.precision,
      {{"exact", kernels::Precision::exact}, {"fast", kernels::Precision::fast}},
      "exact (default): activations stay float; fast: rounded to 8 bits before quantised matrices");
  app.add_option("--backend", flags.backend.name,
                 "cpu-avx512, cpu-avx2, cpu-portable or reference (default: the fastest)")
      ->type_name("NAME");
  add_choice<HeadStorage>(
      app, "--lm-head", flags.setup.memory.head,
      {{"stored", HeadStorage::as_stored}, {"int8", HeadStorage::int8}, {"int4", HeadStorage::int4}},
      "a plain output layer: stored (default), or int8 or int4, rounded in groups of 128");
  add_choice<kernels::KvType>(app, "--kv", flags.setup.memory.kv_type,
                              {{"f32", kernels::KvType::f32}, {"bf16", kernels::KvType::bf16}},
                              "keys and values: f32 (default) or bf16");
  app.add_option("--context", flags.setup.memory.context_tokens,
                 "most tokens of prompt and answer (default: the model's, at most 4096)")
      ->check(CLI::Range(2, 1 << 24));
  app.add_option("--memory-mb", flags.memory_mb,
                 "budget for weights, buffers, keys and values, of 1000000 bytes; what does not fit is refused "
                 "(default: none)")
      ->check(CLI::Range(1, 1 << 30));
}

Result<LocalModel, std::string> load_local_model(const EngineFlags& flags) {
  auto backend = make_backend(flags.backend);
  if (backend.has_error()) return "--backend: " + backend.error();
  auto model = load_transformer_model(flags.model, *backend, flags.settled());
  if (model.has_error()) return model.error();
  for (const std::string& warning : model->folder.warnings) fmt::print(stderr, "warning: {}\n", warning);
  fmt::print(stderr, "{} on {}: {}\n", flags.model, (*backend)->name(),
             describe(model->memory, flags.setup.memory.block_tokens));
  return Result<LocalModel, std::string>{boost::system::in_place_value, LocalModel{*backend, std::move(*model)}};
}

}  // namespace refserver
