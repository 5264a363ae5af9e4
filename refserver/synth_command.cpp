// Flags to options; the work is in checkpoint/synth.
#include "refserver/synth_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "refserver/checkpoint/presets.hpp"
#include "refserver/checkpoint/synth/synth.hpp"
#include "refserver/choice_flag.hpp"

namespace refserver {
namespace {

struct SynthFlags {
  SynthOptions options;
  std::string arch;
  std::string size = "tiny";
  std::string out;
  std::int64_t group_size = 128;
};

/// A flag and its opposite; the value stays empty when neither is given, which CLI11's own optional flags do not do.
void add_switch(CLI::App& app, const char* names, std::optional<bool>& value, const char* help) {
  app.add_flag_function(
      names, [&value](std::int64_t count) { value = count > 0; }, help);
}

void add_model_flags(CLI::App& app, SynthFlags& flags) {
  app.add_option("--arch", flags.arch, "qwen2 or llama; needed for --size tiny, which both have")
      ->check(CLI::IsMember({"qwen2", "llama"}));
  std::vector<std::string> sizes{"tiny"};
  for (const ModelPreset& preset : model_presets()) {
    if (!preset.name.starts_with("tiny-")) sizes.push_back(preset.name);
  }
  app.add_option("--size", flags.size, "one of " + CLI::detail::join(sizes, ", ") + " (default tiny)")
      ->check(CLI::IsMember(sizes))
      ->type_name("NAME");
  app.add_option("--seed", flags.options.seed, "same seed, same bytes (default 1)");
  app.add_option("--out", flags.out, "folder to create; must not exist or be empty")->required()->type_name("DIR");
  add_choice<Dtype>(app, "--dtype", flags.options.dtype,
                    {{"float16", Dtype::f16}, {"bfloat16", Dtype::bf16}, {"float32", Dtype::f32}},
                    "of what is not quantised: float16 (default), bfloat16, float32");
  add_switch(app, "--tie-embeddings,!--no-tie-embeddings", flags.options.tie_embeddings,
             "whether the head is the embedding (default: as published)");
  app.add_option("--vocab-size", flags.options.vocab_size,
                 "rows of the embedding, at least the tokenizer's ids (default: as published; tiny: those ids)");
  app.add_option("--tokenizer", flags.options.tokenizer_folder,
                 "take tokenizer.json and tokenizer_config.json from here")
      ->type_name("DIR");
}

void add_format_flags(CLI::App& app, SynthFlags& flags) {
  SynthOptions& options = flags.options;
  add_choice<SynthQuant>(app, "--quant", options.quant, {{"gptq-int4", SynthQuant::gptq}, {"none", SynthQuant::none}},
                         "gptq-int4 (default; --bits 8 for 8 bits) or none");
  app.add_option("--bits", options.bits, "of a code: 4 (default) or 8")->check(CLI::IsMember({4, 8}));
  app.add_option("--group-size", flags.group_size, "rows with one scale: 8 to 65536, or -1 for all rows (default 128)")
      ->check(CLI::Range(8, 65536) | CLI::IsMember({-1}));
  add_switch(app, "--desc-act,!--no-desc-act", options.desc_act, "rows in scattered groups (default: as published)");
  app.add_flag("--sym,!--asym", options.sym, "zero points in the middle (default) or fitted");
  add_choice<kernels::GptqVersion>(app, "--checkpoint-format", options.version,
                                   {{"v1", kernels::GptqVersion::v1}, {"v2", kernels::GptqVersion::v2}},
                                   "how zero points are stored: v1 (default) or v2");
  app.add_flag("--quantize-lm-head", options.quantize_lm_head, "the head too");
  add_choice<ConfigStyle>(app, "--config-style", options.config_style,
                          {{"older", ConfigStyle::older}, {"newer", ConfigStyle::newer}},
                          "field names of config.json: older (default) or newer");
  add_choice<TemplatePlace>(app, "--chat-template", options.template_place,
                            {{"field", TemplatePlace::field}, {"file", TemplatePlace::file}},
                            "in tokenizer_config.json: field (default), or file");
  app.add_option("--max-shard-bytes", options.max_shard_bytes, "of one safetensors file (default 5000000000)")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 50U));
}

/// The preset of --arch and --size; empty, with a message printed, when they do not go together.
std::string preset_name(const SynthFlags& flags) {
  if (flags.size == "tiny") {
    if (flags.arch.empty()) fmt::print(stderr, "refserver: --size tiny needs --arch qwen2 or llama\n");
    return flags.arch.empty() ? "" : "tiny-" + flags.arch;
  }
  const std::string_view arch = name_of(find_preset(flags.size)->config.architecture);
  if (!flags.arch.empty() && flags.arch != arch) {
    fmt::print(stderr, "refserver: --size {} is {}, not --arch {}\n", flags.size, arch, flags.arch);
    return "";
  }
  return flags.size;
}

/// A line for every twentieth of a folder that takes a while.
WriteProgress progress_lines() {
  return [last = std::uint64_t{0}](std::uint64_t done, std::uint64_t total) mutable {
    constexpr std::uint64_t small = 200'000'000;
    const std::uint64_t twentieth = done * 20 / total;
    if (total < small || twentieth == last) return;
    last = twentieth;
    fmt::print(stderr, "synth: {} of {} MB\n", done / 1'000'000, total / 1'000'000);
  };
}

constexpr const char* kFooter = R"(
The folder has config.json, generation_config.json, the tokenizer's files and the weights in safetensors, as a download
has. Weights are random: a server can be measured with them, nothing sensible will be said.

Example:
  refserver synth --arch qwen2 --size tiny --out models/tiny
  refserver synth --size qwen2-7b --seed 7 --out models/qwen2-7b

Exit codes: 0 written, 1 a file could not be written, 64 bad usage.)";

}  // namespace

ExitCode run_synth(int argc, const char* const* argv) {
  CLI::App app("Write a model folder with made-up weights.", "refserver synth");
  app.footer(kFooter);
  SynthFlags flags;
  add_model_flags(app, flags);
  add_format_flags(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? ExitCode::ok : ExitCode::bad_usage;
  }
  flags.options.preset = preset_name(flags);
  if (flags.options.preset.empty()) return ExitCode::bad_usage;
  flags.options.group_size = flags.group_size == -1 ? 0 : static_cast<std::size_t>(flags.group_size);
  const auto report = write_synthetic_checkpoint(flags.options, flags.out, progress_lines());
  if (report.has_error()) {
    fmt::print(stderr, "refserver: {}\n", report.error().message());
    return report.error().code == CheckpointErrc::unreadable ? ExitCode::error : ExitCode::bad_usage;
  }
  fmt::print("{}: {} layers, {} tensor bytes in {} safetensors {}\n", flags.out, report->config.layers,
             report->tensor_bytes, report->file_count, report->file_count == 1 ? "file" : "files");
  return ExitCode::ok;
}

}  // namespace refserver
