// One list of parts says what the folder holds; each part knows its tensors and how to fill them.
#include "refserver/checkpoint/synth/synth.hpp"

#include <system_error>
#include <utility>

#include "refserver/checkpoint/presets.hpp"
#include "refserver/checkpoint/synth/synth_config.hpp"
#include "refserver/checkpoint/synth/synth_part.hpp"
#include "refserver/checkpoint/synth/synth_texts.hpp"
#include "refserver/checkpoint/synth/synth_tokenizer.hpp"

namespace refserver {
namespace {

namespace fs = std::filesystem;

CheckpointResult<void> make_empty_folder(const fs::path& folder) {
  std::error_code ec;
  fs::create_directories(folder, ec);
  if (ec) return CheckpointError{CheckpointErrc::unreadable, folder.string(), "", "cannot be created: " + ec.message()};
  if (!fs::is_empty(folder, ec) || ec) {
    return CheckpointError{CheckpointErrc::unreadable, folder.string(), "", "is not empty; nothing is overwritten"};
  }
  return {};
}

}  // namespace

CheckpointResult<SynthReport> write_synthetic_checkpoint(const SynthOptions& options, const fs::path& folder,
                                                         WriteProgress progress) {
  const ModelPreset* const preset = find_preset(options.preset);
  if (preset == nullptr) {
    return CheckpointError{CheckpointErrc::unsupported, options.preset, "", "is no known size"};
  }
  const auto tokenizer = load_synth_tokenizer(options, preset->config.architecture);
  if (tokenizer.has_error()) return tokenizer.error();
  const auto config = make_synth_config(options, *preset, *tokenizer);
  if (config.has_error()) return config.error();
  const auto texts = make_synth_texts(*config, options, *tokenizer);
  if (texts.has_error()) return texts.error();
  if (auto made = make_empty_folder(folder); made.has_error()) return made.error();

  const std::vector<SynthPart> parts = list_parts(*config);
  std::vector<TensorPlan> tensors;
  for (const SynthPart& part : parts) append_tensors(part, tensors);
  auto writer = FolderWriter::create(folder, std::move(tensors), options.max_shard_bytes, std::move(progress));
  if (writer.has_error()) return writer.error();
  for (const SynthPart& part : parts) {
    if (auto written = write_part(part, options.seed, *writer); written.has_error()) return written.error();
  }
  if (auto done = writer->finish(); done.has_error()) return done.error();
  for (const auto& [name, text] : *texts) {
    if (auto written = write_new_file(folder / name, text); written.has_error()) return written.error();
  }
  return SynthReport{*config, writer->total_bytes(), writer->file_count()};
}

}  // namespace refserver
